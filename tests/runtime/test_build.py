"""What a job says of a checkpoint before its engine is built."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from quest22.bench.random_checkpoint import Shape, write_checkpoint
from quest22.errors import UsageError
from quest22.runtime.build import Pipeline
from quest22.settings import DecodingSettings, EngineSettings, LongFormSettings, PipelineSettings

REFUSED = LongFormSettings(clip_timestamps=(1.0,))
"""Not for the chunked long form: so a job ends before it builds an engine, which takes long."""


@pytest.mark.parametrize(
    ("decoder_layers", "task", "warned"),
    [(4, "translate", True), (4, "transcribe", False), (2, "translate", False)],
)
def test_turbo_is_warned_of_where_it_shall_translate(
    decoder_layers: int,
    task: str,
    warned: bool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("quest22"), "propagate", True)
    monkeypatch.setattr(logging.getLogger("quest22"), "level", logging.NOTSET)
    folder = write_checkpoint(tmp_path / "model", Shape(8, 1, 32, decoder_layers))
    asked = DecodingSettings("ru", task="translate" if task == "translate" else "transcribe")
    with pytest.raises(UsageError, match="sequential"):
        Pipeline(PipelineSettings(EngineSettings(str(folder)), asked, REFUSED))
    assert ("not trained to translate" in caplog.text) is warned
