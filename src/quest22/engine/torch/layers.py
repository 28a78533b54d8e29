"""Layers of a model that is larger than its device: in the host's memory, copied in their turn.

While a layer computes, the next one is copied into the other of two buffers, over a stream of its
own on CUDA. What a pass over all layers costs is then the time of the copies, whatever number of
windows it is for; so it pays to run many together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor

Layer = TypeVar("Layer")

BUFFERS = 2


class StreamedLayers(Generic[Layer]):
    """Layers of one shape, dataclasses of tensors; iterate over them to have each on the device.

    A layer is valid until the next one is taken. The first ``resident`` ones stay on the device.
    """

    def __init__(self, layers: Sequence[Layer], device: torch.device, resident: int = 0) -> None:
        """``layers`` are in the host's memory."""
        self._resident = [_mapped(each, lambda part: part.to(device)) for each in layers[:resident]]
        streamed = layers[resident:]
        cuda = device.type == "cuda"
        self._layers = [_mapped(each, Tensor.pin_memory) for each in streamed] if cuda else streamed
        count = min(BUFFERS, len(self._layers))
        self._buffers = [
            _mapped(self._layers[0], lambda part: torch.empty_like(part, device=device))
            for _ in range(count)
        ]
        self._copies = _CudaCopies(device) if cuda else _Copies()

    def __len__(self) -> int:
        return len(self._resident) + len(self._layers)

    def __iter__(self) -> Iterator[Layer]:
        copies, count = self._copies, len(self._layers)
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
