"""Parses and formats sizes and times."""

from __future__ import annotations

import re

from quest22.errors import UsageError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h)")
_SECONDS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_size(text: str, name: str = "size") -> int:
    """``512M``, ``1.5G``, ``2GiB``: bytes, by powers of 1024.

    Raises :class:`UsageError` with the option's name.
    """
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None:
        raise UsageError(
            f"{name} is {text!r}: expected a number with K, M, G or T, such as 512M or 1G"
        )
    number, unit = match.groups()
    return int(float(number) * 1024 ** " kmgt".index(unit or " "))


def parse_duration_s(text: str, name: str = "time") -> float:
    """``90s``, ``10m``, ``1.5h``: seconds. Raises :class:`UsageError` with the option's name."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise UsageError(
            f"{name} is {text!r}: expected a number with s, m or h, such as 90s or 24h"
        )
    return float(match.group(1)) * _SECONDS[match.group(2)]


def format_size(size: int) -> str:
    """Bytes in the notation of :func:`parse_size`, with the largest unit that divides them."""
    for power, unit in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{unit}"
    return str(size)


def format_duration(seconds: float) -> str:
    """Seconds in :func:`parse_duration_s`'s notation, with the largest unit that divides them."""
    for length, unit in ((3600, "h"), (60, "m")):
        if seconds and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


def hours(seconds: float) -> str:
    """``42.0 s``, ``12.5 min``, ``1.25 h``: the unit that suits the length."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.2f} h"
