"""Formats a run's figures for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PART_NAMES = {
    "encoder": "encoder",
    "decoder": "decoder",
    "features": "features",
    "alignment": "timing words",
    "wait_network": "waiting for the network",
    "wait_source": "waiting for the source",
    "wait_audio": "waiting for decoding",
    "longform": "windowing and merging",
    "sink": "writing",
    "other": "other",
    "audio": "decoding audio",
    "source": "reading the source",
}
"""Parts of a run's time."""

WAIT_NAMES = {"wait_network": "the network", "wait_source": "the source", "wait_audio": "decoding"}
"""What the engine waits for."""


def files_with_open_end(count: int) -> str:
    """What is missing of a run, in words."""
    files = "1 data file" if count == 1 else f"{count:,} data files"
    return f"{files} could not be read to the end, and an unknown number of clips is missing"


def model_of(plan: Mapping[str, Any]) -> str:
    """The model of a flat plan, and how it runs; earlier versions did not note the engine."""
    engine = plan.get("engine")
    if engine == "torch":
        engine = f"torch on {plan['device']}"
    how = ", ".join(filter(None, (plan["compute_type"], engine)))
    return f"{plan['model']} ({how})"


def length(seconds: float) -> str:
    """``18 s``, ``3 min 12 s``, ``1 h 2 min``; tenths below ten seconds."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s" if minutes else f"{rest_s} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def size(count: float) -> str:
    """``512 B``, ``3.4 MB``: bytes in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
