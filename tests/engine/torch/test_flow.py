"""Batches of more windows than are held at once: parts whose windows follow one another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quest22.audio.log_mel import LogMel
from quest22.engine.engine import WhisperEngine
from quest22.engine.torch.backend import BatchShape, TorchBackend
from quest22.engine.torch.cache import CrossKVPool
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.search import DeviceSearch, StepCounts
from quest22.engine.torch.steps import Run, StepRunner
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, SearchOptions, Window
from tests.engine.conftest import OpenCheckpoint
from tests.engine.torch.conftest import OpenModel, OpenTorchEngine
from tests.engine.torch.test_memory import call, short_of_memory
from tests.engine.torch.test_search import batch, same
from tests.support.windows import windows

SHAPE = BatchShape(8, 4, 2)
RAGGED = (3, 40, 9, 17, 26, 4, 33, 12, 21, 6, 38, 15, 30, 2, 24, 10)


def opened(
    checkpoint: OpenCheckpoint, model: OpenModel, shape: BatchShape = SHAPE, batch_size: int = 32
) -> tuple[WhisperEngine, TorchBackend]:
    found = checkpoint("small-test")
    backend = TorchBackend(found, model("small-test"), shape, batch_size=batch_size)
    return WhisperEngine(found, backend, LogMel(80), Metrics()), backend


def limited(*lengths: int) -> list[Window]:
    return windows(*[DecodingOptions("en", max_new_tokens=length) for length in lengths])


def with_all_options() -> list[Window]:
    """Also what is decoded by other searches, and words of some."""
    asked = [*batch(16), *batch(8)[::-1]]
    asked[4] = replace(asked[4], decoding=replace(asked[4].decoding, words=True))
    asked[9] = replace(asked[9], decoding=replace(asked[9].decoding, words=True))
    beams = SearchOptions(beam_size=3, greedy_logprob=-0.1)
    asked[12] = replace(asked[12], decoding=DecodingOptions("en", search=beams, max_new_tokens=9))
    return asked


@pytest.mark.slow
@pytest.mark.parametrize("shape", [SHAPE, BatchShape(6, 5, 3)])
def test_every_window_has_the_result_of_a_batch_that_is_held_at_once(
    checkpoint: OpenCheckpoint, model: OpenModel, torch_engine: OpenTorchEngine, shape: BatchShape
) -> None:
    whole = torch_engine("small-test", rows=5)
    expected = [*whole.run(with_all_options()[:16]), *whole.run(with_all_options()[16:])]
    whisper, _ = opened(checkpoint, model, shape)
    found = whisper.run(with_all_options())
    same(found, expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.alignment is None) == (other.alignment is None)
        if one.alignment is not None and other.alignment is not None:
            assert one.alignment.bounds_s == other.alignment.bounds_s
    whisper.run(with_all_options()[:11])
    assert whisper.run(with_all_options()) == found  # to the last bit


@pytest.mark.parametrize(
    ("batch_size", "counts"),
    [(32, (323, 1267)), (8, (368, 1264))],
)
def test_ragged_texts_leave_few_places_empty(
    checkpoint: OpenCheckpoint,
    model: OpenModel,
    captured: list[Run],
    batch_size: int,
    counts: tuple[int, int],
) -> None:
    """In one batch, in parts in flight, and in batches that are held at once; of fixed shape."""
    whisper, backend = opened(checkpoint, model, batch_size=batch_size)
    asked = limited(*[2 * length for length in RAGGED * 2])
    for start in range(0, len(asked), batch_size):
        whisper.run(asked[start : start + batch_size])
    used = 2 * sum(2 * length - 1 for length in RAGGED)  # the first token is the prompt's
    assert backend.step_counts == StepCounts(*counts, used)
    assert captured


def test_the_device_has_steps_to_run_while_features_are_computed(
    checkpoint: OpenCheckpoint, model: OpenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once there are windows for all four places: of the first part to be encoded after two."""
    whisper, _ = opened(checkpoint, model)
    events: list[str] = []

    def noted(owner: object, name: str) -> None:
        true = getattr(owner, name)

        def note(*given: object) -> object:
            events.append(name.strip("_"))
            return true(*given)

        monkeypatch.setattr(owner, name, note)

    noted(DeviceSearch, "_steps_of")
    noted(DeviceSearch, "_record")
    noted(whisper, "_features")
    whisper.run(limited(*RAGGED))
    order = [each for each in events if each != "record"]
    late = [place for place, each in enumerate(order) if each == "features"][4::2]
    assert [order[place - 1] for place in late] == ["steps_of"] * 6
    for place, each in enumerate(events):
        if each == "features" and events[place - 1] == "steps_of":
            assert events[place + 1] == "features"  # and only then what was chosen is read


@pytest.mark.slow
def test_memory_that_runs_out_costs_no_result(
    checkpoint: OpenCheckpoint, model: OpenModel, torch_engine: OpenTorchEngine
) -> None:
    asked = limited(*RAGGED[:12])
    expected = torch_engine("small-test").run(asked)
    faults = [
        (WhisperModel, "encode", call(3, 4), BatchShape(4, 2, 1)),
        (StepRunner, "run", call(20, 40), BatchShape(2, 1, 1)),
        (CrossKVPool, "put", lambda _, given: given[0].rows > 2, BatchShape(2, 1, 1)),
    ]
    for owner, name, when, shape in faults:
        whisper, backend = opened(checkpoint, model)
        with short_of_memory(owner, name, when):
            same(whisper.run(asked), expected)
        assert backend.shape == shape
        assert (backend.batch_size, whisper.batch_size) == (32, 32)
    same(whisper.run(asked[:4]), expected[:4])


def test_what_is_decoded_is_not_decoded_again(checkpoint: OpenCheckpoint, model: OpenModel) -> None:
    whisper, backend = opened(checkpoint, model)
    whisper.run(limited(*RAGGED))
    tokens = backend.step_counts.used
    ended: list[int] = []
    true = DeviceSearch.advance

    def advance(search: DeviceSearch) -> list[tuple[int, object]]:
        results = true(search)
        ended.extend(len(result.tokens) for _, result in results)
        return results

    whisper, _ = opened(checkpoint, model)
    with pytest.MonkeyPatch.context() as patch, short_of_memory(StepRunner, "run", call(60)):
        patch.setattr(DeviceSearch, "advance", advance)
        whisper.run(limited(*RAGGED))
    assert sorted(ended) == sorted(RAGGED)
    assert tokens == sum(RAGGED) - len(RAGGED)


def test_a_broken_batch_leaves_nothing_behind(
    checkpoint: OpenCheckpoint, model: OpenModel, torch_engine: OpenTorchEngine
) -> None:
    whisper, _ = opened(checkpoint, model)
    asked = limited(*RAGGED)
    with (
        short_of_memory(StepRunner, "run", call(40), KeyboardInterrupt()),  # type: ignore[arg-type]
        pytest.raises(KeyboardInterrupt),
    ):
        whisper.run(asked)
    same(whisper.run(asked), torch_engine("small-test").run(asked))
    same(whisper.run(asked[:3]), torch_engine("small-test").run(asked[:3]))
