"""Memory that runs out: the same windows get the same texts, with less at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace

import pytest
import torch

from quest22.audio.log_mel import LogMel
from quest22.engine.engine import WhisperEngine
from quest22.engine.torch import backend as backend_module
from quest22.engine.torch import memory
from quest22.engine.torch.backend import BatchShape, TorchBackend
from quest22.engine.torch.cache import CrossKVPool, SelfKVCache
from quest22.engine.torch.device import Placement
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.search import DeviceSearch
from quest22.errors import EngineError
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, SearchOptions
from tests.engine.conftest import OpenCheckpoint
from tests.engine.torch.conftest import OpenModel, OpenTorchEngine
from tests.engine.torch.test_search import OPTIONS, batch, same
from tests.support.windows import windows

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has …\nMore."),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB)"),
    MemoryError(),
]
SHAPE = BatchShape(8, 4, 2)
Fault = tuple[type, str, Callable[[int, tuple], bool]]


def engine(
    checkpoint: OpenCheckpoint, model: OpenModel, shape: BatchShape = SHAPE
) -> tuple[WhisperEngine, TorchBackend]:
    found = checkpoint("small-test")
    backend = TorchBackend(found, model("small-test"), shape)
    return WhisperEngine(found, backend, LogMel(80), Metrics()), backend


@contextmanager
def short_of_memory(
    owner: type, name: str, when: Callable[[int, tuple], bool], error: Exception = ERRORS[0]
) -> Iterator[list[int]]:
    """A method fails where ``when`` says so of its call's number and arguments."""
    true, calls = getattr(owner, name), [0]

    def failing(*arguments: object) -> object:
        calls[0] += 1
        if when(calls[0], arguments):
            raise error
        return true(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, failing)
        yield calls


def call(*numbers: int) -> Callable[[int, tuple], bool]:
    return lambda number, _: number in numbers


PLACES = [
    pytest.param((WhisperModel, "encode", call(1)), (8, 4, 1), id="the first windows encoded"),
    pytest.param((WhisperModel, "encode", call(3, 4)), (4, 2, 1), id="one window encoded"),
    pytest.param(
        (WhisperModel, "encode", lambda _, given: len(given[1]) > 1),
        (8, 4, 1),
        id="always two windows encoded",
    ),
    pytest.param((WhisperModel, "decode", call(1)), (4, 2, 1), id="languages"),
    pytest.param((WhisperModel, "decode", call(5)), (4, 2, 1), id="the first tokens"),
    pytest.param((WhisperModel, "decode", call(14)), (4, 2, 1), id="amid decoding"),
    pytest.param((WhisperModel, "decode", call(9, 30)), (2, 1, 1), id="twice"),
    pytest.param((WhisperModel, "logits", call(20)), (4, 2, 1), id="logits"),
    pytest.param(
        (CrossKVPool, "put", lambda _, given: given[0].rows > 2),
        (2, 1, 1),
        id="as long as batches are large",
    ),
]


@pytest.mark.parametrize(("fault", "shape"), PLACES)
def test_the_same_windows_have_the_same_texts(
    checkpoint: OpenCheckpoint,
    model: OpenModel,
    torch_engine: OpenTorchEngine,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    shape: tuple[int, int, int],
) -> None:
    expected = torch_engine("small-test").run(batch())
    whisper, backend = engine(checkpoint, model)
    with caplog.at_level(logging.WARNING), short_of_memory(*fault):
        found = whisper.run(batch())
    same(found, expected)
    assert backend.shape == BatchShape(*shape)
    assert all("memory ran out on cpu" in each for each in caplog.messages)
    assert "--batch-size" in caplog.messages[-1]
    assert whisper.batch_size == 8  # batches are formed as before
    same(whisper.run(batch()), expected)


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
def test_every_system_says_it_in_its_own_way(
    checkpoint: OpenCheckpoint, model: OpenModel, error: Exception
) -> None:
    whisper, backend = engine(checkpoint, model)
    with short_of_memory(WhisperModel, "decode", call(3), error):
        whisper.run(batch())
    assert backend.shape == BatchShape(4, 2, 1)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ERRORS[0], "CUDA out of memory"),
        (MemoryError(), "MemoryError"),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't "
                "allocate memory: you tried to allocate 98304 bytes. Error code 12"
            ),
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 98304 bytes",
        ),
    ],
)
def test_what_the_log_tells_of_an_error(error: Exception, told: str) -> None:
    assert memory.is_out_of_memory(error)
    assert memory.in_one_sentence(error) == told


def test_other_errors_change_nothing(checkpoint: OpenCheckpoint, model: OpenModel) -> None:
    whisper, backend = engine(checkpoint, model)
    error = RuntimeError("CUDA error: an illegal memory access was encountered")
    with short_of_memory(WhisperModel, "decode", call(3), error), pytest.raises(EngineError):
        whisper.run(batch())
    assert backend.shape == BatchShape(8, 4, 2)


def test_what_is_decoded_is_not_decoded_again(
    checkpoint: OpenCheckpoint, model: OpenModel, torch_engine: OpenTorchEngine
) -> None:
    options = [DecodingOptions("en", max_new_tokens=most) for most in (1, 40, 1, 40, 1, 1, 40, 1)]
    expected = torch_engine("small-test").run(windows(*options))
    whisper, _ = engine(checkpoint, model)
    begun: list[int] = []

    def note(_: int, arguments: tuple) -> bool:
        begun.extend(each.number for each in arguments[1])
        return False

    # Four windows go at once: all short ones have ended when the third long one is at work.
    with (
        short_of_memory(DeviceSearch, "_begin", note),
        short_of_memory(DeviceSearch, "_steps_of", call(4)),
        short_of_memory(WhisperModel, "encode", call()) as encoded,
    ):
        found = whisper.run(windows(*options))
    same(found, expected)
    assert sorted(begun[:8]) == list(range(8))
    assert begun[8:] == [0, 1, 2]  # the long ones, as a batch of their own
    assert encoded == [4 + 3]


def test_beams_and_words(
    checkpoint: OpenCheckpoint, model: OpenModel, torch_engine: OpenTorchEngine
) -> None:
    """Where memory runs out for alignments, texts are kept, and sound is encoded again."""
    asked = [
        replace(OPTIONS[0], words=True, max_new_tokens=12),
        replace(OPTIONS[1], max_new_tokens=9),
        DecodingOptions("en", max_new_tokens=8, search=SearchOptions(beam_size=3)),
        replace(OPTIONS[4], words=True, max_new_tokens=10),
    ]
    expected = torch_engine("small-test").run(windows(*asked))
    for owner, name, when in (
        (WhisperModel, "attend", call(1)),
        (WhisperModel, "decode", call(12)),
        (SelfKVCache, "_allocate", lambda _, arguments: arguments[1] == 4),
    ):
        with short_of_memory(owner, name, when):
            whisper, _ = engine(checkpoint, model, BatchShape(4, 4, 2))
            found = whisper.run(windows(*asked))
        same(found, expected)
        for one, other in zip(found, expected, strict=True):
            assert (one.alignment is None) == (other.alignment is None)
            if one.alignment is not None and other.alignment is not None:
                assert one.alignment.bounds_s == other.alignment.bounds_s


def test_caches_that_do_not_fit_are_smaller_from_the_beginning(
    checkpoint: OpenCheckpoint,
    model: OpenModel,
    torch_engine: OpenTorchEngine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Small(CrossKVPool):
        def __init__(self, dims, rows: int, placement: Placement) -> None:
            if rows > 3:
                raise ERRORS[0]
            super().__init__(dims, rows, placement)

    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(backend_module, "CrossKVPool", Small)
        whisper, backend = engine(checkpoint, model)
        same(whisper.run(batch()), torch_engine("small-test").run(batch()))
    assert backend.shape == BatchShape(2, 1, 1)
    assert (backend.batch_size, whisper.batch_size) == (8, 8)
    (line,) = caplog.messages
    assert line == (
        "memory ran out on cpu (CUDA out of memory): from now on 1 windows are decoded at once, "
        "not 4, and 2 are encoded before, not 8; --batch-size 1 avoids this"
    )


def test_a_window_that_does_not_fit_says_what_it_needs(
    checkpoint: OpenCheckpoint, model: OpenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_and_total", lambda _: (1_500_000_000, 16_000_000_000))
    whisper, _ = engine(checkpoint, model)
    told = (
        r"does not run on cpu: there is not enough memory: it needs .* GB for weights and .* GB "
        r"for each window, and room to compute, and 1.5 GB of 16 GB are free; choose a smaller"
    )
    with short_of_memory(WhisperModel, "decode", lambda *_: True):
        with pytest.raises(EngineError, match=told):
            whisper.run(batch())
        with pytest.raises(EngineError, match=told):
            whisper.run(batch())
    assert [len(each.tokens) for each in whisper.run(batch(2))] == [1, 8]  # once there is room


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16", "int8", "int4_bfloat16"])
def test_the_size_of_weights(
    checkpoint: OpenCheckpoint, model: OpenModel, compute_type: str
) -> None:
    opened = model("small-test", compute_type)
    different = {each.data_ptr(): each for each in tensors(opened.weights)}
    size = sum(each.nbytes for each in different.values())
    told = memory.weight_bytes(checkpoint("small-test").dimensions, opened.placement)
    assert told == pytest.approx(size, rel=0.05)


def tensors(weights: object) -> Iterator[torch.Tensor]:
    """All tensors in nested dataclasses and tuples."""
    if isinstance(weights, torch.Tensor):
        yield weights
    elif weights is not None:
        parts = (
            weights
            if isinstance(weights, tuple)
            else [getattr(weights, each.name) for each in fields(weights)]  # type: ignore[arg-type]
        )
        for part in parts:
            yield from tensors(part)
