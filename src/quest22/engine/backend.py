"""The interface between Whisper and the device that runs it.

:class:`quest22.engine.engine.WhisperEngine` knows prompts, logit rules, languages and hypotheses.
A backend knows one device: where weights and caches lie, and how encoder and decoder run there.
:mod:`quest22.engine.build` chooses one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quest22.decoding.alignment import AlignmentInput
from quest22.decoding.logprobs import Logits
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult
from quest22.errors import EngineError
from quest22.records import Alignment
from quest22.system.shortage import shortage

Features: TypeAlias = NDArray[np.float32]
"""Log-mel features of a window, ``[mel bins, 3000]``, or the first of them: an even number."""

CrossKV: TypeAlias = Any
"""A batch's cross-attention keys and values: an opaque handle of its backend."""

OnResult: TypeAlias = "Callable[[int, DecodeResult], None]"
"""Told the result of a window, by its place, as soon as it is known."""


def explain(what: str, error: BaseException) -> str:
    """One line from an inference library's error, whose last line states the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = shortage(error) or (lines[-1] if lines else type(error).__name__)
    return f"{what}: {reason}"


class SmallerBatchError(EngineError):
    """Memory ran out, and the backend has made itself smaller: run the windows again, in parts.

    ``windows`` are how many it encodes together from now on. ``finished`` has the results of those
    that were decoded before, by their place in the batch.
    """

    def __init__(
        self, reason: str, windows: int, finished: Mapping[int, DecodeResult] | None = None
    ) -> None:
        super().__init__(reason)
        self.windows = windows
        self.finished = dict(finished or {})


class DecodeFlow(Protocol):
    """Parts of one batch in flight: windows of a part take places that those before them leave.

    A part is encoded, submitted, and collected when it is decoded; its sound is there until it is
    released. Parts are collected in an order that follows from them alone, and never from a clock.
    After an error that one of the methods raises, the flow is not used again.
    """

    @property
    def part_size(self) -> int:
        """How many windows are best encoded together."""
        ...

    @property
    def room(self) -> int:
        """How many windows may be encoded now."""
        ...

    @property
    def takes(self) -> Callable[[DecodeRequest], bool]:
        """Whether windows with a request are decoded here, whatever their language is."""
        ...

    def encode(self, features: Sequence[Callable[[], Features]]) -> CrossKV:
        """As :meth:`Backend.encode`; there must be room."""
        ...

    def submit(
        self, cross_kv: CrossKV, requests: Sequence[DecodeRequest], on_result: OnResult
    ) -> None:
        """Decode a part, whose windows wait for places."""
        ...

    def collect(self) -> CrossKV:
        """Wait until a part is decoded, the oldest if there are several; at least one is in flight.

        :meth:`Backend.language_logits` and :meth:`Backend.align` take what this returns.
        """
        ...

    def release(self, cross_kv: CrossKV) -> None:
        """The sound of a part is not needed any more."""
        ...


class Backend(Protocol):
    """A checkpoint's encoder and decoder on a device.

    A batch is encoded, then decoded, then aligned if words are requested. Windows keep their order.
    A batch of more windows than can be encoded together comes in parts: one after the other, or by
    :meth:`open_flow`.
    Every method may raise :class:`quest22.errors.EngineError`, of which
    :class:`SmallerBatchError` makes the engine go on with fewer windows at once; the engine turns
    ``RuntimeError`` and ``MemoryError`` into one.
    """

    @property
    def name(self) -> str:
        """The backend in one word, such as ``native``."""
        ...

    @property
    def device_type(self) -> str:
        """The kind of device: ``cpu``, ``cuda`` or ``mps``."""
        ...

    @property
    def compute_type(self) -> str:
        """The precision that was chosen; see :attr:`quest22.engine.precision.Precision.name`."""
        ...

    @property
    def batch_size(self) -> int:
        """The maximum number of windows per batch, which is also the most efficient one."""
        ...

    @property
    def windows_at_once(self) -> int:
        """The maximum number of windows that are encoded together; ``batch_size`` or less."""
        ...

    @property
    def batches_in_flight(self) -> int:
        """The maximum number of batches that are encoded and not yet decoded."""
        ...

    @property
    def same_in_any_batch(self) -> bool:
        """Whether what is decoded is the same, to the last bit, whatever shares the batch."""
        ...

    @property
    def shortens_context(self) -> bool:
        """Whether windows of fewer features than 3000 are encoded, and attended to, as they are.

        If not, every window must have all of them.
        """
        ...

    def encode(self, features: Sequence[Callable[[], Features]]) -> CrossKV:
        """Encode one window for each function.

        Each function is called once, in order, as late as possible, so that features are computed
        while the device encodes earlier windows.
        """
        ...

    def language_logits(self, cross_kv: CrossKV, tokens: Sequence[int]) -> Logits:
        """Logits of some tokens right after ``<|startoftranscript|>``: ``[windows, tokens]``."""
        ...

    def decode(self, cross_kv: CrossKV, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
        """Decode all windows of a batch; a window that is searched twice is not encoded again.

        The results are those of :meth:`quest22.decoding.search.BatchSearch.decode`, which says
        what is decoded together, and what is decoded greedily first.
        """
        ...

    def align(self, cross_kv: CrossKV, inputs: Sequence[AlignmentInput]) -> list[Alignment]:
        """Align the windows that ``inputs`` name, after decoding; alignments in the same order."""
        ...

    def open_flow(self) -> DecodeFlow | None:
        """Forget other batches, and take a batch in parts; None: parts gain nothing here."""
        ...

    def close(self) -> None:
        """Release the device's memory. The backend cannot be used again."""
        ...
