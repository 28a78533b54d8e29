"""Thrift's compact protocol, in which Parquet describes its pages: just enough to read it.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from typing import Any, TypeAlias

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY = 1, 2, 3, 7, 8
_INTEGERS = frozenset({4, 5, 6})
_LIST, _SET, _MAP, _STRUCT, _UUID = 9, 10, 11, 12, 13
_FIXED_BYTES = {_BYTE: 1, _DOUBLE: 8, _UUID: 16}
_MAX_DEPTH = 32

Fields: TypeAlias = dict[int, Any]
"""A struct's values by field number."""


def read_struct(content: bytes, offset: int = 0, depth: int = 0) -> tuple[Fields, int]:
    """A struct, and the offset after it.

    Raises IndexError if it goes on after ``content``, ValueError if it is none.
    """
    if depth > _MAX_DEPTH:
        raise ValueError("structs are nested too deeply")
    fields: Fields = {}
    number = 0
    while content[offset]:
        kind, delta = content[offset] & 0x0F, content[offset] >> 4
        offset += 1
        if delta:
            number += delta
        else:
            number, offset = _read_integer(content, offset)
        if kind in (_TRUE, _FALSE):
            fields[number] = kind == _TRUE
        else:
            fields[number], offset = _read_value(content, offset, kind, depth)
    return fields, offset + 1


def varint(number: int) -> bytes:
    """A number of unlimited size in groups of seven bits."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def zigzag(number: int) -> bytes:
    """A signed integer of 64 bits at most."""
    return varint((number << 1) ^ (number >> 63))


def _read_value(content: bytes, offset: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in _INTEGERS:
        return _read_integer(content, offset)
    if kind == _STRUCT:
        return read_struct(content, offset, depth + 1)
    if kind in (_LIST, _SET):
        return _read_list(content, offset, depth + 1)
    if kind == _MAP:
        return _read_map(content, offset, depth + 1)
    size = _FIXED_BYTES.get(kind)
    if kind == _BINARY:
        size, offset = _read_varint(content, offset)
    if size is None:
        raise ValueError(f"a field of kind {kind}")
    if offset + size > len(content):
        raise IndexError("the value goes on")
    return content[offset : offset + size], offset + size


def _read_list(content: bytes, offset: int, depth: int) -> tuple[list[Any], int]:
    count, kind = content[offset] >> 4, content[offset] & 0x0F
    offset += 1
    if count == 15:
        count, offset = _read_varint(content, offset)
    items = []
    for _ in range(_checked_count(count, content, offset, depth)):
        item, offset = _read_item(content, offset, kind, depth)
        items.append(item)
    return items, offset


def _read_map(content: bytes, offset: int, depth: int) -> tuple[list[Any], int]:
    count, offset = _read_varint(content, offset)
    items: list[Any] = []
    if not count:
        return items, offset
    kinds = content[offset] >> 4, content[offset] & 0x0F
    offset += 1
    for _ in range(_checked_count(count, content, offset, depth)):
        for kind in kinds:
            item, offset = _read_item(content, offset, kind, depth)
            items.append(item)
    return items, offset


def _checked_count(count: int, content: bytes, offset: int, depth: int) -> int:
    if depth > _MAX_DEPTH:
        raise ValueError("lists are nested too deeply")
    if count > len(content) - offset:  # an item takes a byte at least
        raise IndexError("the list goes on")
    return count


def _read_item(content: bytes, offset: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (_TRUE, _FALSE):  # in lists a byte of its own
        return content[offset] == _TRUE, offset + 1
    return _read_value(content, offset, kind, depth)


def _read_integer(content: bytes, offset: int) -> tuple[int, int]:
    raw, offset = _read_varint(content, offset)
    return (raw >> 1) ^ -(raw & 1), offset


def _read_varint(content: bytes, offset: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[offset]
        number |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 0x80:
            return number, offset
        if shift > 63:
            raise ValueError("a number without an end")
