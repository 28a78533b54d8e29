"""With a draft model the text is that without one: on trained weights, random ones and nonsense."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from benchmarks.draft import with_layers
from quest22.audio.log_mel import LogMel
from quest22.bench.random_checkpoint import Shape, write_checkpoint
from quest22.checkpoint.load import Checkpoint, load
from quest22.decoding.draft_length import StepCosts
from quest22.engine import build_cpu
from quest22.engine.build import build_engine
from quest22.engine.cpu_backend import CpuBackend
from quest22.engine.engine import WhisperEngine
from quest22.errors import UsageError
from quest22.metrics import Metrics
from quest22.native.library import open_library
from quest22.records import DecodingOptions, Hypothesis, SearchOptions, Window
from quest22.settings import EngineSettings
from tests.engine.conftest import OpenCheckpoint
from tests.support.recordings import NANO_IS_HERE, recordings
from tests.support.windows import windows

nano_only = pytest.mark.skipif(not NANO_IS_HERE, reason="this checkout has no nano or no samples")
native = pytest.mark.skipif(open_library() is None, reason="no native library")

ROWS = 6
FREE = StepCosts((1,), (0.05,), (0.01,))
OPTIONS = (
    DecodingOptions("en"),
    DecodingOptions("en", timestamps=True),
    DecodingOptions(None, previous=(1770, 13)),
    DecodingOptions("en", timestamps=True, max_new_tokens=12),
    DecodingOptions("en", search=SearchOptions(beam_size=2, greedy_logprob=-0.1)),
    DecodingOptions("en", audio_context="auto", prefix=(400,)),
    DecodingOptions("en", search=SearchOptions(repetition_penalty=1.2)),
    DecodingOptions("en", temperature=0.6, search=SearchOptions(best_of=2)),
)


def opened(
    model: Checkpoint, draft: Checkpoint | None, compute_type: str = "float32", kind: str = "native"
) -> WhisperEngine:
    """With costs at which a draft guesses wherever it is sure."""
    settings = EngineSettings(
        engine="torch" if kind == "torch" else "auto",
        device="cpu",
        compute_type=compute_type,
        batch_size=ROWS,
        threads=1,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_cpu, "measure_costs", lambda *_: FREE)
        if kind == "torch":
            from quest22.engine.torch import build

            patch.setattr(build, "computed_costs", lambda *_: FREE)
        return build_engine(model, LogMel(model.dimensions.mel_bins), settings, Metrics(), draft)


def said(whisper: WhisperEngine, batch: list[Window]) -> list[Hypothesis]:
    return [
        each
        for start in range(0, len(batch), ROWS)
        for each in whisper.run(batch[start : start + ROWS])
    ]


def accepted(whisper: WhisperEngine) -> tuple[int, int]:
    """How many guesses were right, of how many."""
    search = whisper._backend._speculative  # type: ignore[attr-defined]
    return search.counts.right, search.counts.guessed


@cache
def nano() -> Checkpoint:
    return load("nano")


def speech(count: int = 6) -> list[Window]:
    sounds = [*recordings("en", count), *recordings("ru", count)]
    return [
        Window(sound, 0.0, OPTIONS[place % len(OPTIONS)], place)
        for place, sound in enumerate(sounds)
    ]


@native
@nano_only
@pytest.mark.parametrize("compute_type", ["float32", "bfloat16", "int8", "int16"])
def test_nano_and_a_part_of_it(compute_type: str) -> None:
    """To the last bit, in batches of all kinds of windows, with one encoder for both."""
    drafted = opened(nano(), with_layers(nano(), [0, 2]), compute_type)
    if drafted.compute_type != opened(nano(), None, compute_type).compute_type:
        pytest.skip(f"no {compute_type} here")
    assert said(drafted, speech()) == said(opened(nano(), None, compute_type), speech())
    right, guessed = accepted(drafted)
    assert 0 < right < guessed


@native
@nano_only
def test_an_encoder_of_its_own(tmp_path: Path) -> None:
    """A draft of another width, which knows nothing: it is asked, and changes nothing."""
    shape = Shape(64, 2, 1, 1)
    draft = load(str(write_checkpoint(tmp_path / "draft", shape, dtype="F32")))
    drafted = opened(nano(), draft)
    assert said(drafted, speech()) == said(opened(nano(), None), speech())
    assert accepted(drafted)[1] > 0


@native
@nano_only
def test_the_same_model_as_its_own_draft_is_always_right() -> None:
    plain = [replace(each, decoding=OPTIONS[each.index % 2]) for each in speech(4)]
    drafted = opened(nano(), nano())
    assert said(drafted, plain) == said(opened(nano(), None), plain)
    right, guessed = accepted(drafted)
    assert right >= 0.9 * guessed > 0  # the last guesses of a window may be beyond its end


@native
@pytest.mark.parametrize("layers", [[0], [1], [1, 0]])
def test_random_weights(checkpoint: OpenCheckpoint, layers: list[int]) -> None:
    model = checkpoint("small-test")
    drafted = opened(model, with_layers(model, layers))
    batch = windows(*[replace(each, max_new_tokens=30) for each in OPTIONS])
    assert said(drafted, batch) == said(opened(model, None), batch)


@native
@nano_only
def test_the_same_batch_takes_the_same_way() -> None:
    drafted = opened(nano(), with_layers(nano(), [0, 2]))
    batch = speech(3)[:ROWS]
    first = drafted.run(batch)
    before = accepted(drafted)
    assert drafted.run(batch) == first
    again = accepted(drafted)
    assert again == (2 * before[0], 2 * before[1])


@nano_only
@pytest.mark.parametrize("own_encoder", [False, True])
def test_on_pytorch(tmp_path: Path, own_encoder: bool) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    draft = with_layers(nano(), [0, 2])
    if own_encoder:
        draft = load(str(write_checkpoint(tmp_path / "draft", Shape(64, 2, 1, 1), dtype="F32")))
    drafted = opened(nano(), draft, kind="torch")
    found, expected = said(drafted, speech(4)), said(opened(nano(), None, kind="torch"), speech(4))
    for one, other in zip(found, expected, strict=True):
        assert one.tokens == other.tokens
        assert one.avg_logprob == pytest.approx(other.avg_logprob, abs=1e-4)
        assert one.no_speech_prob == pytest.approx(other.no_speech_prob, abs=1e-5)
    right, guessed = accepted(drafted)
    assert guessed > 0
    assert own_encoder or right > 0


@native
@nano_only
def test_a_draft_that_costs_too_much_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_cpu, "measure_costs", lambda *_: StepCosts((1,), (0.9,), (0.2,)))
        settings = EngineSettings(compute_type="float32", batch_size=2)
        whisper = build_engine(nano(), LogMel(80), settings, Metrics(), with_layers(nano(), [0, 1]))
    assert "is left out" in caplog.text
    backend = whisper._backend
    assert isinstance(backend, CpuBackend)
    assert backend._parts.draft is None


@native
@nano_only
def test_measured_costs() -> None:
    settings = EngineSettings(compute_type="float32", batch_size=4, threads=1)
    measured: list[StepCosts] = []
    measure = build_cpu.measure_costs
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            build_cpu, "measure_costs", lambda *given: measured.append(measure(*given)) or FREE
        )
        build_engine(nano(), LogMel(80), settings, Metrics(), with_layers(nano(), [0]))
    (costs,) = measured
    assert costs.rows == (1, 4)
    assert all(0 < share < 2 for share in costs.drafts)
    assert all(0 <= share < 2 for share in costs.checks)


@nano_only
def test_graphs_take_no_draft() -> None:
    settings = EngineSettings(engine="openvino", compute_type="float32", batch_size=2)
    with pytest.raises(UsageError, match="--draft-model needs decoders of engine native or torch"):
        build_engine(nano(), LogMel(80), settings, Metrics(), with_layers(nano(), [0]))


@nano_only
def test_a_draft_of_another_vocabulary(checkpoint: OpenCheckpoint) -> None:
    settings = EngineSettings(compute_type="float32", batch_size=2)
    with pytest.raises(UsageError, match="cannot draft for nano"):
        build_engine(nano(), LogMel(80), settings, Metrics(), checkpoint("small-test.en"))


@nano_only
def test_memory_that_runs_out_beside_a_draft() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from quest22.engine.torch.model import WhisperModel
    from tests.engine.torch.test_memory import call, short_of_memory

    drafted = opened(nano(), with_layers(nano(), [0, 2]), kind="torch")
    expected = [each.tokens for each in said(opened(nano(), None, kind="torch"), speech(4))]
    with short_of_memory(WhisperModel, "decode", call(9)) as calls:
        found = [each.tokens for each in said(drafted, speech(4))]
    assert calls[0] > 9
    assert found == expected
    assert accepted(drafted)[0] > 0
