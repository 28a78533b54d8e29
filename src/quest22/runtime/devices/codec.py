"""Messages as JSON with arrays beside it, and back by the types of their fields.

Only the messages that are known can come out, whatever comes in: nothing is executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Part = bytes | bytearray | memoryview


def encode(message: object) -> list[Part]:
    """A message, a dataclass, as its JSON and the bytes of its arrays."""
    arrays: list[Array] = []
    plain = _plain(message, arrays)
    described = [[each.dtype.str, each.shape] for each in arrays]
    text = json.dumps([type(message).__name__, plain, described])
    return [text.encode(), *(each.reshape(-1).view(np.uint8).data for each in arrays)]


def decode(parts: Sequence[Part], known: Mapping[str, type[Any]]) -> Any:
    """The message; ``known`` has the classes that it may have, by name.

    Arrays are in the memory of ``parts``.
    """
    name, plain, described = json.loads(bytes(parts[0]))
    arrays = [
        np.frombuffer(part, np.dtype(kind)).reshape(shape)
        for part, (kind, shape) in zip(parts[1:], described, strict=True)
    ]
    return _restored(known[name], plain, arrays)


def _plain(value: Any, arrays: list[Array]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(np.ascontiguousarray(value))
        return len(arrays) - 1
    if is_dataclass(value):
        return [_plain(getattr(value, each.name), arrays) for each in fields(value)]
    if isinstance(value, Mapping):
        return {name: _plain(each, arrays) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each, arrays) for each in value]
    return value.item() if isinstance(value, np.generic) else value


def _restored(kind: Any, value: Any, arrays: Sequence[Array]) -> Any:
    kind = _of_optional(kind, value)
    container, parts = get_origin(kind), get_args(kind)
    if value is None:
        return None
    if container is np.ndarray:
        return arrays[value]
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(*(_restored(*pair, arrays) for pair in zip(_types(kind), value, strict=True)))
    if container is tuple:
        kinds = parts[:1] * len(value) if parts[1:] == (...,) else parts
        return tuple(_restored(*pair, arrays) for pair in zip(kinds, value, strict=True))
    if container is list:
        return [_restored(parts[0], each, arrays) for each in value]
    return value


def _of_optional(kind: Any, value: Any) -> Any:
    """The type of a value whose field may be None as well; a plain value needs none."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    others = [each for each in get_args(kind) if each is not NoneType]
    return others[0] if len(others) == 1 else type(value)


@cache
def _types(kind: type[Any]) -> tuple[Any, ...]:
    hints = get_type_hints(kind)
    return tuple(hints[each.name] for each in fields(kind))
