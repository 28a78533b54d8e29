"""Other ways to decode a window, whose words vote with those of the first one."""

from __future__ import annotations

from dataclasses import replace

from quest22.longform.pauses.excerpts import Excerpt, parts, whole
from quest22.longform.pauses.quality import Quality
from quest22.longform.pauses.retries import in_full
from quest22.longform.pauses.speech_windows import SpeechWindow
from quest22.records import SAMPLE_RATE_HZ, DecodingOptions

PART_LENGTHS_S = (14.0, 8.0)
SHORTEST_SHARE = 0.2
"""Parts are not cut shorter than this share of the longest."""


def other_ways(
    speech: SpeechWindow, decoding: DecodingOptions, quality: Quality
) -> list[list[Excerpt]]:
    """With timestamps or without, with a short context, and in parts that are cut at pauses.

    The excerpts of each variant make up the window.
    """
    search = replace(decoding.search, beam_size=quality.retry_beam_size, greedy_logprob=None)
    shortened = replace(decoding, search=search, audio_context="auto", words=False)
    beams = in_full(shortened)
    variants = [
        [whole(speech, replace(beams, timestamps=not decoding.timestamps))],
        [whole(speech, shortened)],
    ]
    duration_s = len(speech.samples) / SAMPLE_RATE_HZ
    timed = replace(shortened, timestamps=True)
    for length_s in PART_LENGTHS_S:
        if duration_s > length_s:
            shortest_s = SHORTEST_SHARE * length_s
            variants.append(parts(speech, timed, (0.0, duration_s), length_s, shortest_s))
    return variants
