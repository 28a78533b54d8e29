"""Layers of a model that is larger than its device, or than the machine's memory.

The first ones stay on the device. Others are in the host's memory: while a layer computes, the next
one is copied into the other of two buffers, over a stream of its own on CUDA. The rest stay in the
checkpoint's files, which are mapped: a thread reads each while the one before it computes. What a
pass over all layers costs is then the time of reading and copying, whatever number of windows it is
for; so it pays to run many together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor

Layer = TypeVar("Layer")

BUFFERS = 2


@dataclass(frozen=True, slots=True)
class Places:
    """How many layers stay on the device, and how many of the next ones in the host's memory.

    The others are read from their files whenever they are needed.
    """

    on_device: int = 0
    in_memory: int = 0


class StreamedLayers(Generic[Layer]):
    """Layers of one shape, dataclasses of tensors; iterate over them to have each on the device.

    A layer is valid until the next one is taken.
    """

    def __init__(
        self, read: Callable[[int], Layer], count: int, device: torch.device, places: Places
    ) -> None:
        """``read`` gives a layer in the host's memory by its number; later, in another thread."""
        cuda, self._on_host = device.type == "cuda", device.type == "cpu"
        first, end = places.on_device, min(places.on_device + places.in_memory, count)
        self._resident = [
            _mapped(read(index), lambda part: part.to(device)) for index in range(min(first, count))
        ]
        self._read = (lambda index: _mapped(read(index), Tensor.pin_memory)) if cuda else read
        self._layers = [self._read(index) for index in range(first, end)]
        self.in_files = range(max(end, len(self._resident)), count)
        self._reader = ThreadPoolExecutor(1, "layers") if self.in_files else None
        like = self._layers[:1] or [read(each) for each in self.in_files[:1] if not self._on_host]
        self._buffers = [
            _mapped(each, lambda part: torch.empty_like(part, device=device))
            for each in like * BUFFERS
        ]
        self._copies = _CudaCopies(device) if cuda else _Copies()

    def __len__(self) -> int:
        return self.in_files.stop

    def __iter__(self) -> Iterator[Layer]:
        copies, count = self._copies, len(self._layers)
        coming = self._begin_reading(self.in_files.start)
        if count:
            copies.start(0, self._layers[0], self._buffers[0])
        yield from self._resident
        for index in range(count):
            place = index % BUFFERS
            if index + 1 < count:
                following = (index + 1) % BUFFERS
                copies.start(following, self._layers[index + 1], self._buffers[following])
            copies.wait(place)
            try:
                yield self._buffers[place]
            finally:
                copies.used(place)
        while coming is not None:
            layer = coming[1].result()
            index, coming = coming[0], self._begin_reading(coming[0] + 1)
            yield from self._placed(index % BUFFERS, layer)

    def _begin_reading(self, index: int) -> tuple[int, Future[Layer]] | None:
        if self._reader is None or index not in self.in_files:
            return None
        return index, self._reader.submit(self._read, index)

    def _placed(self, place: int, layer: Layer) -> Iterator[Layer]:
        """A layer from a file on the device: the host's own memory needs no copy of it."""
        if self._on_host:
            yield layer
            return
        self._copies.start(place, layer, self._buffers[place])
        self._copies.wait(place)
        try:
            yield self._buffers[place]
        finally:
            self._copies.used(place)


class _Copies:
    """Copies that are done at once."""

    def start(self, place: int, source: Any, target: Any) -> None:
        """Copy a layer into the buffer of this number."""
        _copy(source, target)

    def wait(self, place: int) -> None:
        """What is computed from now on finds the buffer filled."""

    def used(self, place: int) -> None:
        """What was computed so far may still read the buffer; what comes later does not."""


class _CudaCopies(_Copies):
    """Copies beside what is computed."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._filled = [torch.cuda.Event() for _ in range(BUFFERS)]  # type: ignore[no-untyped-call]
        self._read = [torch.cuda.Event() for _ in range(BUFFERS)]  # type: ignore[no-untyped-call]

    def start(self, place: int, source: Any, target: Any) -> None:
        with torch.cuda.stream(self._stream):
            self._read[place].wait(self._stream)
            _copy(source, target)
            self._filled[place].record(self._stream)

    def wait(self, place: int) -> None:
        self._filled[place].wait(torch.cuda.current_stream(self._device))

    def used(self, place: int) -> None:
        self._read[place].record(torch.cuda.current_stream(self._device))


def tensors_of(layer: Any) -> Iterator[Tensor]:
    """All tensors of nested dataclasses and tuples, in a fixed order."""
    if isinstance(layer, Tensor):
        yield layer
    elif layer is not None:
        parts = layer if isinstance(layer, tuple) else _parts(layer)
        for part in parts:
            yield from tensors_of(part)


def bytes_of(layer: Any) -> int:
    """The memory of a layer."""
    return sum(part.nbytes for part in tensors_of(layer))


def _copy(source: Any, target: Any) -> None:
    for given, taken in zip(tensors_of(source), tensors_of(target), strict=True):
        taken.copy_(given, non_blocking=True)


def _mapped(layer: Layer, change: Callable[[Tensor], Tensor]) -> Layer:
    """The same layer of other tensors."""
    if isinstance(layer, Tensor):
        return cast("Layer", change(layer))
    if not is_dataclass(layer):
        return layer
    kind: Callable[..., Layer] = type(layer)
    return kind(*(_mapped(part, change) for part in _parts(layer)))


def _parts(layer: Any) -> list[Any]:
    return [getattr(layer, each.name) for each in fields(layer)]
