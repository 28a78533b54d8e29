"""The engine on a backend of the plainest kind: it needs nothing but the protocol."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from quest22.checkpoint.load import Checkpoint, load
from quest22.decoding.alignment import AlignmentInput
from quest22.decoding.logprobs import Logits
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult
from quest22.engine.backend import (
    Backend,
    DecodeFlow,
    Features,
    OnResult,
    SmallerBatchError,
    explain,
)
from quest22.engine.engine import WhisperEngine, shift_features
from quest22.errors import EngineError, UsageError
from quest22.metrics import Metrics
from quest22.records import Alignment, DecodingOptions, Hypothesis, SearchOptions, Window

ENGLISH, GERMAN = DecodingOptions("en"), DecodingOptions("de")


@dataclass(eq=False)
class Handle:
    """Keys and values of a batch: a number a window."""

    numbers: list[int]
    beams: list[int] = field(default_factory=list)
    short: list[bool] = field(default_factory=list)


@dataclass
class ToyBackend:
    """A model whose text is a window's number, and the beams it was decoded with."""

    name: str = "toy"
    device_type: str = "cpu"
    compute_type: str = "float32"
    batch_size: int = 4
    batches_in_flight: int = 2
    shortens_context: bool = False
    same_in_any_batch: bool = False
    calls: list[str] = field(default_factory=list)
    error: BaseException | None = None
    control: tuple[int, ...] = ()

    @property
    def windows_at_once(self) -> int:
        return self.batch_size

    def open_flow(self) -> DecodeFlow | None:
        return None

    def encode(self, features: Sequence[Callable[[], Features]]) -> Handle:
        self._called("encode")
        return Handle([round(float(compute().max())) for compute in features])

    def language_logits(self, cross_kv: Handle, tokens: Sequence[int]) -> Logits:
        self._called("language_logits")
        logits = np.zeros((len(cross_kv.numbers), len(tokens)), np.float32)
        for row, number in enumerate(cross_kv.numbers):
            logits[row, number] = 9.0
        return logits

    def decode(self, cross_kv: Handle, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
        self._called("decode")
        cross_kv.beams = [request.num_beams for request in requests]
        return [
            DecodeResult((number, *self.control, beams), -0.5, 0.25)
            for number, beams in zip(cross_kv.numbers, cross_kv.beams, strict=True)
        ]

    def align(self, cross_kv: Handle, inputs: Sequence[AlignmentInput]) -> list[Alignment]:
        self._called("align")
        assert cross_kv.beams
        return [Alignment((float(each.window), float(len(each.text))), ()) for each in inputs]

    def close(self) -> None:
        self._called("close")

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.error is not None:
            raise self.error


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


def loudest(samples: np.ndarray) -> Features:
    return np.full((80, 3000), samples[0], np.float32)


def window(number: int, decoding: DecodingOptions = ENGLISH, beams: int = 1) -> Window:
    decoding = replace(decoding, search=SearchOptions(beam_size=beams))
    return Window(np.full(320, number, np.float32), 0.0, decoding)


def opened(nano: Checkpoint, backend: Backend, metrics: Metrics | None = None) -> WhisperEngine:
    return WhisperEngine(nano, backend, loudest, metrics or Metrics())


def texts(hypotheses: Sequence[Hypothesis]) -> list[tuple[int, ...]]:
    return [each.tokens for each in hypotheses]


def test_windows_keep_their_order_whatever_their_beams(nano: Checkpoint) -> None:
    batch = [window(1, beams=3), window(2), window(3, beams=2), window(4)]
    found = opened(nano, ToyBackend()).run(batch)
    assert texts(found) == [(1, 3), (2, 1), (3, 2), (4, 1)]
    assert {(each.avg_logprob, each.no_speech_prob) for each in found} == {(-0.5, 0.25)}


def test_begin_and_finish_are_run(nano: Checkpoint) -> None:
    first, second = [window(1, beams=2), window(2)], [window(3)]
    engine = opened(nano, ToyBackend())
    tickets = [engine.begin(first), engine.begin(second)]
    assert [engine.finish(each) for each in tickets] == [engine.run(first), engine.run(second)]


def test_no_windows_are_no_work(nano: Checkpoint) -> None:
    backend = ToyBackend()
    assert opened(nano, backend).run([]) == []
    assert backend.calls == []


@pytest.mark.parametrize("room", [1, 2])
def test_a_batch_more_than_the_backend_takes_has_the_oldest_decoded(
    nano: Checkpoint, room: int
) -> None:
    backend = ToyBackend(batches_in_flight=room)
    engine = opened(nano, backend)
    tickets = [engine.begin([window(number)]) for number in range(1, room + 2)]
    assert backend.calls.count("decode") == 1
    assert [texts(engine.finish(each)) for each in tickets] == [
        [(number, 1)] for number in range(1, room + 2)
    ]
    for ticket in tickets:
        with pytest.raises(RuntimeError, match="finished already"):
            engine.finish(ticket)
    dropped = engine.begin([window(2)])
    del dropped  # a batch that nobody can finish takes no room
    assert texts(engine.run([window(3)])) == [(3, 1)]


def test_an_error_of_a_batch_that_made_room_is_its_own(nano: Checkpoint) -> None:
    class Failing(ToyBackend):
        def decode(self, cross_kv: Handle, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
            if 13 in cross_kv.numbers:
                raise RuntimeError("unlucky")
            return super().decode(cross_kv, requests)

    engine = opened(nano, Failing(batches_in_flight=1))
    unlucky = engine.begin([window(13)])
    assert texts(engine.run([window(2)])) == [(2, 1)]
    with pytest.raises(EngineError, match="unlucky"):
        engine.finish(unlucky)


def test_an_interruption_while_making_room_leaves_an_error_to_the_batch(nano: Checkpoint) -> None:
    class Interrupted(ToyBackend):
        def decode(self, cross_kv: Handle, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
            if 13 in cross_kv.numbers:
                raise KeyboardInterrupt
            return super().decode(cross_kv, requests)

    engine = opened(nano, Interrupted(batches_in_flight=1))
    begun = engine.begin([window(13)])
    with pytest.raises(KeyboardInterrupt):
        engine.run([window(2)])
    with pytest.raises(EngineError, match="interrupted: run its windows again"):
        engine.finish(begun)
    assert texts(engine.run([window(2)])) == [(2, 1)]


def test_batches_of_many_threads_do_not_mix(nano: Checkpoint) -> None:
    """One cache, as a CPU backend has: what is decoded is what was encoded last."""

    class OneCache(ToyBackend):
        cache: Handle

        def encode(self, features: Sequence[Callable[[], Features]]) -> Handle:
            self.cache = super().encode(features)
            time.sleep(0.001)
            return self.cache

        def decode(self, cross_kv: Handle, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
            return super().decode(self.cache, requests)

    engine = opened(nano, OneCache(batches_in_flight=1))

    def run(number: int) -> list[tuple[int, ...]]:
        batch = [window(number), window(number + 1)]
        if number % 3:
            return texts(engine.run(batch))
        return texts(engine.finish(engine.begin(batch)))

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(run, range(1, 101)))
    assert results == [[(number, 1), (number + 1, 1)] for number in range(1, 101)]


class Shrinking(ToyBackend):
    """Memory runs out in one of its calls, the so-many-th of a kind."""

    def __init__(self, kind: str, at: int, windows: int, finished: Sequence[int] = ()) -> None:
        super().__init__(batches_in_flight=1)
        self.when, self.windows, self.finished = (kind, at), windows, finished
        self.encoded: list[list[int]] = []

    def encode(self, features: Sequence[Callable[[], Features]]) -> Handle:
        handle = super().encode(features)
        self.encoded.append(handle.numbers)
        self._check("encode", handle, {})
        return handle

    def decode(self, cross_kv: Handle, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
        results = super().decode(cross_kv, requests)
        self._check("decode", cross_kv, dict(enumerate(results)))
        return results

    def align(self, cross_kv: Handle, inputs: Sequence[AlignmentInput]) -> list[Alignment]:
        cross_kv.beams = [1]
        alignments = super().align(cross_kv, inputs)
        self._check("align", cross_kv, {})
        return alignments

    def _check(self, kind: str, cross_kv: Handle, finished: dict[int, DecodeResult]) -> None:
        if (kind, self.calls.count(kind)) == self.when:
            kept = {each: finished[each] for each in self.finished}
            raise SmallerBatchError("no memory", self.windows, kept)


@pytest.mark.parametrize(
    ("backend", "encoded"),
    [
        (Shrinking("encode", 1, 2), [[1, 2, 3, 4], [1, 2], [3, 4]]),
        (Shrinking("encode", 1, 3), [[1, 2, 3, 4], [1, 2, 3], [4]]),
        (Shrinking("decode", 1, 1), [[1, 2, 3, 4], [1], [2], [3], [4]]),
        (Shrinking("decode", 1, 2, [2]), [[1, 2, 3, 4], [1, 2], [4]]),
        (Shrinking("decode", 1, 2, [0, 1, 2]), [[1, 2, 3, 4], [4], [1]]),
        (Shrinking("decode", 1, 2, [0, 1, 2, 3]), [[1, 2, 3, 4], [1]]),
        (Shrinking("align", 1, 2), [[1, 2, 3, 4], [1]]),
    ],
)
def test_a_backend_that_has_made_itself_smaller_gets_windows_in_parts(
    nano: Checkpoint, backend: Shrinking, encoded: list[list[int]]
) -> None:
    """What is decoded is not decoded again; the first window also wants words."""
    engine = opened(nano, backend)
    batch = [window(1, replace(ENGLISH, words=True)), *map(window, (2, 3, 4))]
    found = engine.run(batch)
    assert texts(found) == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert [each.alignment is not None for each in found] == [True, False, False, False]
    assert backend.encoded == encoded
    assert engine.batch_size == 4
    backend.encoded.clear()
    engine.run(batch)
    assert max(map(len, backend.encoded)) == backend.windows


def test_a_backend_that_does_not_get_smaller_is_not_asked_for_ever(nano: Checkpoint) -> None:
    class Stuck(ToyBackend):
        def decode(self, cross_kv: Handle, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
            raise SmallerBatchError("no memory", 2)

    with pytest.raises(EngineError, match="no memory"):
        opened(nano, Stuck()).run([window(1), window(2), window(3)])


@dataclass
class ToyFlow:
    """Takes greedy windows, three parts at once; those whose numbers are the lowest end first."""

    backend: Flowing
    part_size: int = 2
    parts: list[tuple[Handle, Sequence[DecodeRequest], OnResult]] = field(default_factory=list)

    @property
    def room(self) -> int:
        return 6 - sum(len(handle.numbers) for handle in self.backend.held)

    def takes(self, request: DecodeRequest) -> bool:
        return request.num_beams == 1

    def encode(self, features: Sequence[Callable[[], Features]]) -> Handle:
        assert len(features) <= self.room
        handle = self.backend.encode(features)
        self.backend.held.append(handle)
        return handle

    def submit(
        self, cross_kv: Handle, requests: Sequence[DecodeRequest], on_result: OnResult
    ) -> None:
        self.parts.append((cross_kv, requests, on_result))

    def collect(self) -> Handle:
        part = min(self.parts, key=lambda each: min(each[0].numbers))
        self.parts.remove(part)
        handle, requests, on_result = part
        self.backend.collected.append(handle.numbers)
        for place, result in enumerate(self.backend.decode(handle, requests)):
            on_result(place, result)
            if handle.numbers[place] == self.backend.breaks_after:
                self.backend.breaks_after, self.backend.batch_at_once = None, 1
                self.backend.held.clear()
                raise SmallerBatchError("no memory", 1)
        return handle

    def release(self, cross_kv: Handle) -> None:
        self.backend.held.remove(cross_kv)


class Flowing(ToyBackend):
    """Has room for six of up to twelve windows."""

    def __init__(self, breaks_after: int | None = None) -> None:
        super().__init__(batch_size=12, batches_in_flight=1)
        self.breaks_after = breaks_after
        self.batch_at_once = 6
        self.held: list[Handle] = []
        self.collected: list[list[int]] = []

    @property
    def windows_at_once(self) -> int:
        return self.batch_at_once

    def open_flow(self) -> DecodeFlow | None:
        return ToyFlow(self)

    def align(self, cross_kv: Handle, inputs: Sequence[AlignmentInput]) -> list[Alignment]:
        assert cross_kv in self.held or not self.held
        cross_kv.beams = cross_kv.beams or [1]  # encoded again
        return super().align(cross_kv, inputs)


ORDER = (8, 7, 6, 5, 1, 2, 4, 3)


def test_parts_of_a_batch_follow_one_another(nano: Checkpoint) -> None:
    """In whatever order they end; windows with beams come last, and words are aligned in time."""
    backend, metrics = Flowing(), Metrics()
    timed = replace(ENGLISH, words=True)
    batch = [window(number, timed if number % 2 else DecodingOptions()) for number in ORDER]
    batch.insert(3, window(9, beams=3))
    found = opened(nano, backend, metrics).run(batch)
    expected = opened(nano, ToyBackend(batch_size=12)).run(batch)
    assert [(each.tokens, each.language) for each in found] == [
        (each.tokens, each.language) for each in expected
    ]
    words = [each.alignment is not None for each in found]
    assert words == [each.decoding.words for each in batch]
    assert backend.collected == [[1, 2], [4, 3], [6, 5], [8, 7]]
    assert backend.held == []
    assert metrics.counts()["tokens"] == 2 * len(batch)


def test_a_batch_that_is_held_at_once_needs_no_parts(nano: Checkpoint) -> None:
    backend = Flowing()
    assert texts(opened(nano, backend).run([window(1), window(2)])) == [(1, 1), (2, 1)]
    assert (backend.collected, backend.calls) == ([], ["encode", "decode"])


@pytest.mark.parametrize("words", [False, True])
def test_memory_that_runs_out_in_a_part_costs_no_result(nano: Checkpoint, words: bool) -> None:
    backend = Flowing(breaks_after=6)
    batch = [window(number, replace(ENGLISH, words=words)) for number in ORDER]
    found = opened(nano, backend).run(batch)
    assert texts(found) == [(number, 1) for number in ORDER]
    assert all((each.alignment is not None) == words for each in found)
    assert backend.collected == [[1, 2], [4, 3], [6, 5], [5], [7], [8]]


def test_a_batch_that_is_abandoned_takes_no_room(nano: Checkpoint) -> None:
    backend = ToyBackend(batches_in_flight=1)
    engine = opened(nano, backend)
    engine.abandon(engine.begin([window(1)]))
    assert texts(engine.run([window(2)])) == [(2, 1)]
    assert backend.calls.count("decode") == 1


def test_a_closed_engine_refuses_work(nano: Checkpoint) -> None:
    engine = opened(nano, ToyBackend())
    begun = engine.begin([window(1)])
    engine.close()
    engine.close()
    for call in (lambda: engine.finish(begun), lambda: engine.run([window(1)])):
        with pytest.raises(UsageError, match="the model is closed"):
            call()


def test_features_are_computed_one_by_one_as_the_backend_takes_them(nano: Checkpoint) -> None:
    events: list[str] = []

    def features(samples: np.ndarray) -> Features:
        events.append(f"features {samples[0]:.0f}")
        return loudest(samples)

    class Slow(ToyBackend):
        def encode(self, features: Sequence[Callable[[], Features]]) -> Handle:
            numbers = []
            for compute in features:
                events.append("slot")
                numbers.append(round(float(compute().max())))
            return Handle(numbers)

    WhisperEngine(nano, Slow(), features, Metrics()).run([window(1), window(2)])
    assert events == ["slot", "features 1", "slot", "features 2"]


def test_features_that_a_window_brings_are_taken_as_they_are(nano: Checkpoint) -> None:
    brought = Window(
        np.zeros(0, np.float32), 0.0, ENGLISH, features=np.full((80, 3000), 7, np.float32)
    )
    assert texts(opened(nano, ToyBackend()).run([brought])) == [(7, 1)]


@pytest.mark.parametrize(("shortens", "frames"), [(True, 1152), (False, 3000)])
def test_only_the_audio_context_is_encoded_where_the_backend_can(
    nano: Checkpoint, shortens: bool, frames: int
) -> None:
    shapes = []

    class Watched(ToyBackend):
        def encode(self, features: Sequence[Callable[[], Features]]) -> Handle:
            computed = [compute() for compute in features]
            assert all(each.flags.c_contiguous for each in computed)
            shapes.extend(each.shape for each in computed)
            return super().encode([lambda each=each: each for each in computed])

    batch = [window(1), window(2, replace(ENGLISH, audio_context="auto"))]
    batch = [replace(each, samples=np.full(80_000, 1, np.float32)) for each in batch]
    opened(nano, Watched(shortens_context=shortens)).run(batch)
    assert shapes == [(80, 3000), (80, frames)]


def test_windows_with_doubtful_text_are_heard_again_in_full(nano: Checkpoint) -> None:
    class Looping(ToyBackend):
        """In a short context a window says its number as often as that is."""

        def encode(self, features: Sequence[Callable[[], Features]]) -> Handle:
            computed = [compute() for compute in features]
            handle = super().encode([lambda each=each: each for each in computed])
            handle.short = [each.shape[1] < 3000 for each in computed]
            return handle

        def decode(self, cross_kv: Handle, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
            results = super().decode(cross_kv, requests)
            return [
                replace(each, tokens=each.tokens[:1] * (number if short else 1))
                for each, number, short in zip(
                    results, cross_kv.numbers, cross_kv.short, strict=True
                )
            ]

    backend = Looping(shortens_context=True)
    auto = replace(ENGLISH, audio_context="auto", words=True)
    batch = [window(2, auto), window(40, auto), window(40), window(50, auto)]
    found = opened(nano, backend).run(batch)
    assert texts(found) == [(2, 2), (40,), (40,), (50,)]
    assert [each.alignment is not None for each in found] == [True, True, False, True]
    assert backend.calls == ["encode", "decode", "align"] * 2


def test_only_one_stage_is_timed_at_any_moment(nano: Checkpoint) -> None:
    class Watched(Metrics):
        def __init__(self) -> None:
            super().__init__()
            self.running: list[str] = []
            self.names: list[str] = []

        @contextmanager
        def time(self, name: str) -> Iterator[None]:
            assert self.running == []
            self.running.append(name)
            self.names.append(name)
            with super().time(name):
                yield
            self.running.remove(name)

    metrics = Watched()
    spoken = replace(ENGLISH, words=True)
    opened(nano, ToyBackend(), metrics).run([window(1, spoken), window(2)])
    assert metrics.names == ["features", "encoder", "features", "encoder", "decoder", "alignment"]
    assert metrics.counts()["tokens"] == 4


def test_languages_are_detected_where_one_is_not_given(nano: Checkpoint) -> None:
    backend = ToyBackend()
    engine = opened(nano, backend)
    engine.run([window(1), window(2, GERMAN)])
    assert backend.calls == ["encode", "decode"]
    given, detected = engine.run([window(1, GERMAN), window(2, DecodingOptions())])
    assert backend.calls[2:] == ["encode", "language_logits", "decode"]
    assert (given.language, given.language_probability, given.languages) == ("de", 1.0, ())
    codes = list(nano.tokens.languages)
    assert detected.language == detected.languages[0][0] == codes[2]
    assert detected.languages[0][1] == detected.language_probability
    assert len(detected.languages) == 5


def test_only_windows_that_ask_for_words_are_aligned(nano: Checkpoint) -> None:
    timed = replace(ENGLISH, words=True)
    batch = [window(1, timed, beams=2), window(2), window(3, timed)]
    found = opened(nano, ToyBackend()).run(batch)
    assert [each.alignment for each in found] == [
        Alignment((0.0, 2.0), ()),
        None,
        Alignment((2.0, 2.0), ()),
    ]
    assert texts(found) == [(1, 2), (2, 1), (3, 1)]


def test_control_tokens_are_no_text(nano: Checkpoint) -> None:
    tokens = nano.tokens
    control = (tokens.sot, tokens.no_speech, tokens.eot)
    (found,) = opened(nano, ToyBackend(control=control)).run([window(1)])
    assert found.tokens == (1, 1)


ERRORS = [
    (RuntimeError("Check failed at x.cpp:7:\n  shapes differ\n"), "shapes differ"),
    (RuntimeError("std::bad_alloc"), "not enough memory: choose a smaller --batch-size"),
    (MemoryError(), "not enough memory: choose a smaller --batch-size"),
    (EngineError("the device is gone"), "^the device is gone"),
]


@pytest.mark.parametrize(("error", "message"), ERRORS)
def test_errors_become_engine_errors_and_the_engine_goes_on(
    nano: Checkpoint, error: BaseException, message: str
) -> None:
    backend = ToyBackend(error=error, batches_in_flight=1)
    engine = opened(nano, backend)
    with pytest.raises(EngineError, match=message):
        engine.run([window(1)])
    backend.error = None
    ticket = engine.begin([window(1)])
    backend.error = error
    with pytest.raises(EngineError, match=message):
        engine.finish(ticket)
    backend.error = None
    assert texts(engine.run([window(1)])) == [(1, 1)]


def test_an_error_is_explained_in_one_line() -> None:
    assert explain("it failed", RuntimeError("a\n\n b \n")) == "it failed: b"
    assert explain("it failed", RuntimeError()) == "it failed: RuntimeError"


def test_closing_closes_the_backend(nano: Checkpoint) -> None:
    backend = ToyBackend()
    opened(nano, backend).close()
    assert backend.calls == ["close"]


def test_shifted_features_end_in_zeros() -> None:
    features = np.arange(12, dtype=np.float32).reshape(2, 6)
    assert shift_features(features, 0) is features
    assert shift_features(features, 4).tolist() == [[4, 5, 0, 0, 0, 0], [10, 11, 0, 0, 0, 0]]


def test_the_engine_itself_loads_no_inference_library() -> None:
    loaded = "import sys, quest22.engine.engine; print({'openvino', 'torch'} & set(sys.modules))"
    made = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert made.stdout == "set()\n"
