"""A step of decoding over rows of fixed shape, as a CUDA graph where the device has them.

Launching the kernels of a step one by one takes the host longer than a GPU takes to run them where
few windows are decoded or the model is small. A graph launches them at once. It is captured when a
shape first occurs, for so many windows and so many positions, both rounded up, so there are few.
Without graphs the same code runs on the same tensors.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from quest22.engine.torch.cache import CrossKVPool, SelfKVCache
from quest22.engine.torch.memory import is_out_of_memory
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.rules import DeviceRules, TimestampState
from quest22.engine.torch.sampling import choose, log_probabilities

LENGTH_MULTIPLE = 64
"""Rows attend to their first positions, as many as the longest has, rounded up to this."""

WARM_UPS = 2
"""Runs before a capture, in which libraries choose kernels and take memory."""

_log = logging.getLogger("quest22")

Run: TypeAlias = "Callable[[], None]"
Capture: TypeAlias = "Callable[[Run], Run]"
"""Makes of a function on fixed tensors one that does the same at once, and may run it meanwhile."""


@dataclass(slots=True, eq=False)
class Rows:
    """What rows need for their next step, on the device; a step updates it in place.

    ``logprobs`` are those of the tokens chosen last, ``uniforms`` the random numbers of the next
    step, all ``[rows]``. Without ``temperatures`` no row is sampled.
    """

    grammar: TimestampState
    positions: Tensor
    logprobs: Tensor
    rules: DeviceRules
    temperatures: Tensor | None = None
    uniforms: Tensor | None = None

    @property
    def sampled(self) -> bool:
        """Whether any row is."""
        return self.temperatures is not None

    def tensors(self) -> list[Tensor]:
        """All tensors, in a fixed order."""
        random = [each for each in (self.temperatures, self.uniforms) if each is not None]
        return [*self.grammar.rows(), self.positions, self.logprobs, *self.rules.rows(), *random]


class StepRunner:
    """Runs steps over the first rows of the caches; the windows have equally many rows each."""

    def __init__(
        self,
        model: WhisperModel,
        pool: CrossKVPool,
        cache: SelfKVCache,
        capture: Capture | None,
    ) -> None:
        """Without ``capture`` every operation is launched by itself."""
        self._model = model
        self._pool = pool
        self._cache = cache
        self._capture = capture
        self._fixed: dict[tuple[Any, ...], Rows] = {}
        self._captured: dict[tuple[int, int, int], Run] = {}

    def count(self, live: int, places: int) -> int:
        """How many windows to run for so many live ones: a power of two where shapes are fixed."""
        return live if self._capture is None else padded_count(live, places)

    def placed(self, rows: Rows) -> Rows:
        """The rows to run: with memory of their own where shapes are fixed."""
        if self._capture is None:
            return rows
        # A cache that has grown has other memory, which no earlier graph knows.
        key = (len(rows.positions), rows.sampled, rows.rules.key, self._cache.memory.data_ptr())
        fixed = self._fixed.setdefault(key, rows)
        if fixed is not rows:
            for own, given in zip(fixed.tensors(), rows.tensors(), strict=True):
                own.copy_(given)
        return fixed

    def run(self, rows: Rows, windows: int, length: int) -> None:
        """Feed every row's last token, and choose its next one; ``length`` positions are known.

        ``rows`` are placed.
        """
        length = padded_length(length, self._cache.positions)
        if self._capture is None:
            self._step(rows, windows, length)
            return
        key = (id(rows), windows, length)
        if key not in self._captured:
            before = [each.clone() for each in rows.tensors()]
            self._captured[key] = self._capture(lambda: self._step(rows, windows, length))
            for own, kept in zip(rows.tensors(), before, strict=True):  # a capture may run it
                own.copy_(kept)
        self._captured[key]()

    def _step(self, rows: Rows, windows: int, length: int) -> None:
        last = rows.grammar.last[:, None]
        cached, sound = slice(0, len(last)), slice(0, windows)
        x = self._model.decode(
            last, rows.positions[:, None], (self._cache, cached), (self._pool, sound), length
        )
        filtered = rows.rules.apply(self._model.logits(x[:, -1]), rows.grammar)
        chosen = choose(filtered, rows.temperatures, rows.uniforms)
        rows.logprobs.copy_(log_probabilities(filtered, chosen))
        rows.grammar.update(chosen, rows.rules.timestamp_begin)
        # Rows whose window has ended may go on to the last position, and stay there.
        rows.positions.add_(1).clamp_(max=self._cache.positions - 1)


def padded_count(live: int, most: int) -> int:
    """A power of two, ``most`` at most."""
    return min(1 << (live - 1).bit_length(), most)


def padded_length(length: int, positions: int) -> int:
    """A multiple of :data:`LENGTH_MULTIPLE`, all ``positions`` at most."""
    return min(-(-length // LENGTH_MULTIPLE) * LENGTH_MULTIPLE, positions)


def cuda_graphs(device: torch.device) -> Capture | None:
    """Captures steps on a device of CUDA; None where there are no graphs.

    All graphs share memory, since none runs beside another and their results lie elsewhere. A step
    that cannot be captured runs as it is, and the log says so.
    """
    if device.type != "cuda":
        return None
    pool = torch.cuda.graph_pool_handle()
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def capture(run: Run) -> Run:
        graph = torch.cuda.CUDAGraph()
        try:
            stream.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(stream):
                for _ in range(WARM_UPS):
                    run()
            torch.cuda.current_stream(device).wait_stream(stream)
            with torch.cuda.graph(graph, pool=pool, stream=stream):
                run()
        except RuntimeError as exc:
            if is_out_of_memory(exc):
                raise
            _log.warning("steps of decoding are not captured as a graph: %s", exc)
            return run
        return graph.replay

    return capture
