"""Other ways to decode a window."""

from __future__ import annotations

import numpy as np
import pytest

from quest22.longform.pauses.quality import Quality
from quest22.longform.pauses.speech_windows import SpeechWindow
from quest22.longform.pauses.variants import PART_LENGTHS_S, other_ways
from quest22.longform.speech_timeline import SpeechTimeline
from quest22.records import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES, DecodingOptions
from quest22.settings import DecodingSettings

BEST = Quality.of("best", DecodingSettings())


def window(seconds: float) -> SpeechWindow:
    samples = np.random.default_rng(5).normal(size=round(seconds * SAMPLE_RATE_HZ))
    timeline = SpeechTimeline()
    timeline.add(0, len(samples))
    probabilities = np.random.default_rng(6).random(-(-len(samples) // VAD_FRAME_SAMPLES))
    return SpeechWindow(
        samples.astype(np.float32), timeline, probabilities.astype(np.float32), whole=False
    )


@pytest.mark.parametrize(("seconds", "variants"), [(5.0, 2), (10.0, 3), (29.0, 4)])
@pytest.mark.parametrize("timestamps", [True, False])
def test_each_variant_is_the_whole_window(
    seconds: float, variants: int, *, timestamps: bool
) -> None:
    speech = window(seconds)
    first = BEST.first_pass(
        DecodingOptions("ru", timestamps=timestamps, words=True), whole=not timestamps
    )
    ways = other_ways(speech, first, BEST)
    assert len(ways) == variants
    for way in ways:
        joined = np.concatenate([part.window.samples for part in way])
        assert np.array_equal(joined, speech.samples)
        for part in way:
            decoding = part.window.decoding
            assert (decoding.language, decoding.words) == ("ru", False)
            assert (decoding.search.beam_size, decoding.search.greedy_logprob) == (5, None)
    assert ways[0][0].window.decoding.timestamps != first.timestamps
    assert ways[1][0].window.decoding.audio_context == "auto"
    for way, longest_s in zip(ways[2:], PART_LENGTHS_S, strict=False):
        assert all(part.window.decoding.timestamps for part in way)
        if len(ways) == 4:
            assert all(part.window.duration_s <= longest_s + 0.04 for part in way)
