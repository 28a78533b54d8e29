"""What a job says of a checkpoint before its engine is built."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from quest22.bench.random_checkpoint import Shape, write_checkpoint
from quest22.errors import UsageError
from quest22.metrics import Metrics
from quest22.native.library import open_library
from quest22.runtime.build import Pipeline, network_client
from quest22.settings import (
    DecodingSettings,
    EngineSettings,
    LiveSettings,
    LongFormSettings,
    PipelineSettings,
)
from quest22.settings.clip_options import ClipOptions

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


@pytest.mark.parametrize(("retry_for_s", "expected"), [(None, (300.0, 4.0)), (90.0, (90.0, 90.0))])
def test_the_client_is_as_patient_as_the_run_says(
    retry_for_s: float | None, expected: tuple[float, float]
) -> None:
    settings = PipelineSettings(retry_for_s=retry_for_s)
    network = network_client(settings, Metrics()).settings
    assert (network.retry_timeout_s, network.unknown_host_timeout_s) == expected
    assert network.spooled_bytes == settings.memory.spooled_bytes


def test_patience_is_a_positive_time() -> None:
    with pytest.raises(UsageError, match="retry_for_s is -1"):
        PipelineSettings(retry_for_s=-1.0)


@pytest.mark.skipif(open_library() is None, reason="no native library: drafts need decoders in C")
def test_live_captions_take_no_draft_model(tmp_path: Path) -> None:
    folder = str(write_checkpoint(tmp_path / "model", Shape(64, 2, 1, 1)))
    settings = PipelineSettings(EngineSettings(folder, draft_model=folder))
    refused = pytest.raises(UsageError, match="leave --draft-model out")
    with Pipeline(settings) as pipeline, refused:
        pipeline.live(ClipOptions(live=LiveSettings()))
