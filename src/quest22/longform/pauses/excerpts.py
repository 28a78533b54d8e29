"""Parts of a window that are decoded on their own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from quest22.longform.pauses.cutting import FRAME_S, CuttingRules, best_cuts
from quest22.longform.pauses.speech_windows import SpeechWindow
from quest22.records import SAMPLE_RATE_HZ, DecodingOptions, Window


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is decoded of a window, from ``offset_s`` on."""

    offset_s: float
    window: Window


def whole(speech: SpeechWindow, decoding: DecodingOptions) -> Excerpt:
    """The whole window."""
    return Excerpt(0.0, Window(speech.samples, speech.timeline.start_s(0.0), decoding))


def excerpt(
    speech: SpeechWindow, decoding: DecodingOptions, start_s: float, end_s: float
) -> Excerpt:
    """A part of the window, by its times in the window."""
    start, stop = (round(time_s * SAMPLE_RATE_HZ) for time_s in (start_s, end_s))
    samples = speech.samples[start:stop]
    return Excerpt(start_s, Window(samples, speech.timeline.start_s(start_s), decoding))


def parts(
    speech: SpeechWindow,
    decoding: DecodingOptions,
    span_s: tuple[float, float],
    longest_s: float,
    shortest_s: float,
) -> list[Excerpt]:
    """A span of the window, cut at pauses into parts of these lengths."""
    rules = CuttingRules(longest=round(longest_s / FRAME_S), shortest=round(shortest_s / FRAME_S))
    first, last = (int(time_s / FRAME_S) for time_s in span_s)
    cuts = best_cuts(speech.probabilities[first:last], rules)
    bounds = [span_s[0], *((first + cut) * FRAME_S for cut in cuts), span_s[1]]
    return [excerpt(speech, decoding, *each) for each in pairwise(bounds)]
