"""What the native library decodes does not depend on what else is in the batch, to the last bit."""

from __future__ import annotations

import pytest

from quest22.records import DecodingOptions, SearchOptions, Window
from quest22.runtime.build import Pipeline
from quest22.settings import EngineSettings, PipelineSettings
from tests.support.recordings import NANO_IS_HERE, recordings

pytestmark = pytest.mark.skipif(not NANO_IS_HERE, reason="without the model nano")

BEAMS = SearchOptions(beam_size=3, greedy_logprob=-0.3)
OPTIONS = {
    "greedy": DecodingOptions(),
    "beams where greedy decoding is unsure": DecodingOptions(search=BEAMS),
    "a shortened context": DecodingOptions("en", audio_context="auto"),
    "samples": DecodingOptions("en", temperature=0.8),
}


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16", "int8", "int8_kv"])
def test_windows_alone_and_together(compute_type: str) -> None:
    engine = EngineSettings(model="nano", compute_type=compute_type, batch_size=8, threads=2)
    sounds = recordings("en", 5, longest_s=10.0)
    with Pipeline(PipelineSettings(engine=engine)) as pipeline:
        for name, decoding in OPTIONS.items():
            windows = [Window(sound, 0.0, decoding, row) for row, sound in enumerate(sounds)]
            if not pipeline._engine.same_in_any_batch(windows):
                pytest.skip(f"{pipeline.compute_type} does not run natively here")
            together = pipeline._engine.run(windows)
            for size in (1, 2):
                parts = [windows[start : start + size] for start in range(0, 5, size)]
                apart = [each for part in parts for each in pipeline._engine.run(part)]
                assert apart == together, name


def test_alignments_are_not_promised() -> None:
    engine = EngineSettings(model="nano", batch_size=2)
    with Pipeline(PipelineSettings(engine=engine)) as pipeline:
        window = Window(recordings("en", 1)[0], 0.0, DecodingOptions(words=True))
        assert not pipeline._engine.same_in_any_batch([window])
