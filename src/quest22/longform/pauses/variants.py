"""Other ways to decode a window, whose words vote with those of the first one."""

from __future__ import annotations

from dataclasses import replace

from quest22.longform.pauses.excerpts import Excerpt, parts, whole
from quest22.longform.pauses.quality import Quality
from quest22.longform.pauses.retries import in_full
from quest22.longform.pauses.speech_windows import SpeechWindow
from quest22.records import SAMPLE_RATE_HZ, DecodingOptions

LONGEST_PART_S = 14.0
SHORTEST_PART_S = 3.0


def other_ways(
    speech: SpeechWindow, decoding: DecodingOptions, quality: Quality
) -> list[list[Excerpt]]:
    """With timestamps or without, greedily, and in parts that are cut at pauses.

    The excerpts of each variant make up the window.
    """
    search = replace(decoding.search, beam_size=quality.retry_beam_size, greedy_logprob=None)
    beams = in_full(replace(decoding, search=search, words=False))
    other = replace(beams, timestamps=not beams.timestamps)
    greedy = replace(beams, search=replace(search, beam_size=1))
    variants = [[whole(speech, other)], [whole(speech, greedy)]]
    duration_s = len(speech.samples) / SAMPLE_RATE_HZ
    if duration_s > LONGEST_PART_S:
        timed = replace(beams, timestamps=True)
        span_s = (0.0, duration_s)
        variants.append(parts(speech, timed, span_s, LONGEST_PART_S, SHORTEST_PART_S))
    return variants
