"""Neighbours of the drivers: windows of one sample, and an engine that echoes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np

from quest22.errors import ClipError, EngineError, UsageError
from quest22.protocols import ConfiguredStrategy, LongForm
from quest22.records import (
    Audio,
    Clip,
    DecodingOptions,
    Failure,
    Hypothesis,
    Origin,
    Partial,
    Samples,
    Segment,
    Transcript,
    Window,
)
from quest22.settings import DecodingSettings
from quest22.settings.clip_options import ClipOptions

POISON = -7.0
INTERIM = 1000.0
"""From this sample on, windows are interim."""


class EchoEngine:
    """Answers with the first sample of a window; refuses a batch that holds POISON.

    ``gate`` closed, a batch waits in the engine, which ``entered`` then tells.
    """

    batches_in_flight = 1

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def same_in_any_batch(self, windows: Sequence[Window]) -> bool:
        return True

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        assert 0 < len(windows) <= self.batch_size
        self.batches.append([int(window.samples[0]) for window in windows])
        self.entered.release()
        self.gate.wait()
        if any(window.samples[0] == POISON for window in windows):
            raise EngineError("poisoned window")
        return [Hypothesis((int(window.samples[0]),), "en", 1.0, 0.0, 0.0) for window in windows]

    def begin(self, windows: Sequence[Window]) -> Sequence[Window]:
        return windows

    def finish(self, ticket: Sequence[Window]) -> list[Hypothesis]:
        return self.run(ticket)

    def close(self) -> None:
        self.closed = True


class PipelinedEcho(EchoEngine):
    batches_in_flight = 2

    def __init__(self, batch_size: int = 4) -> None:
        super().__init__(batch_size)
        self.abandoned: list[Sequence[Window]] = []

    def abandon(self, ticket: Sequence[Window]) -> None:
        self.abandoned.append(ticket)


class BlockLongForm:
    """Every block is a window; sequential: the next only after the last came back."""

    def __init__(self, clip: Clip, sequential: bool = False) -> None:
        self.clip = clip
        self.sequential = sequential
        self.waiting: list[Window] = []
        self.out = 0
        self.given = 0
        self.flushed = False
        self.results: dict[int, int] = {}

    def feed(self, samples: Samples) -> list[Window]:
        interim = bool(samples[0] >= INTERIM)
        self.waiting.append(Window(samples, 0.0, DecodingOptions(), self.given, interim=interim))
        self.given += 1
        return self._release()

    def flush(self) -> list[Window]:
        self.flushed = True
        return self._release()

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        self.out -= 1
        self.results[window.index] = hypothesis.tokens[0]
        return self._release()

    def _release(self) -> list[Window]:
        allowed = 1 - self.out if self.sequential else len(self.waiting)
        ready, self.waiting = self.waiting[:allowed], self.waiting[allowed:]
        self.out += len(ready)
        return ready

    @property
    def wants_audio(self) -> bool:
        return not (self.sequential and self.out)

    @property
    def finished(self) -> bool:
        return self.flushed and not self.waiting and self.out == 0

    def partial(self) -> Partial:
        committed = []
        while len(committed) in self.results:
            committed.append(Segment(0.0, 0.0, f" {self.results[len(committed)]}"))
        return Partial(tuple(committed))

    def close(self) -> Transcript:
        text = " ".join(str(token) for _, token in sorted(self.results.items()))
        return Transcript(self.clip.key, self.clip.name, text, "en", 1.0, 1.0, (), self.clip.origin)


class BlockStrategy:
    """``options`` with a language of ``xx`` are refused."""

    def __init__(self, sequential: bool = False) -> None:
        self.sequential = sequential

    def configured(self, options: ClipOptions | None = None) -> ConfiguredStrategy:
        return self

    def open(self, clip: Clip, options: ClipOptions | None = None) -> LongForm:
        if options is not None and options.decoding == DecodingSettings("xx"):
            raise UsageError("language 'xx': expected one that the model knows")
        return BlockLongForm(clip, self.sequential)


def clip(key: object) -> Clip:
    return Clip(str(key), str(key), b"", Origin("test"))


def block(*values: float) -> Samples:
    return np.array(values, np.float32)


def audio(key: object, values: Sequence[float | None]) -> Audio:
    """A clip of one-sample blocks; None is a block that cannot be decoded."""

    def blocks() -> Iterator[Samples]:
        for value in values:
            if value is None:
                raise ClipError("audio", "broken block")
            yield block(value)

    return Audio(clip(key), blocks())


def text(result: Transcript | Failure) -> str:
    return result.reason if isinstance(result, Failure) else result.text
