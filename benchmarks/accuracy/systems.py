"""What is compared: this product's modes and precisions, and other programs, as named rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import product, starmap
from typing import Any, Literal, TypeAlias

from quest22.errors import UsageError

Program: TypeAlias = Literal["quest22", "faster-whisper", "openai-whisper"]

DEFAULT = "balanced"
"""The product's default."""

BASELINE = "faster-whisper"
"""What speeds are relative to: faster-whisper's defaults."""

PRECISIONS = ("float32", "bfloat16", "int16", "int8_kv", "int8_weights", "int8", "int4")


@dataclass(frozen=True, slots=True)
class System:
    """A program with options; what is not named is the program's default.

    ``label`` is its name on the page. ``noise`` are the parts of sound without speech that it is
    given: an hour takes some programs long.
    """

    name: str
    program: Program
    label: str
    options: Mapping[str, Any] = field(default_factory=dict)
    compute_type: str | None = None
    batched: bool = False
    noise: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.program == "quest22"

    @property
    def is_precision(self) -> bool:
        """Whether it is the default in a precision other than its own."""
        return self.name.startswith(f"{DEFAULT}-")


def _modes() -> list[System]:
    qualities = [
        System("fast", "quest22", "fast", {"quality": "fast"}, noise=("first",)),
        System(DEFAULT, "quest22", f"{DEFAULT} (default)", noise=("first", "rest")),
        System("best", "quest22", "best", {"quality": "best"}, noise=("first",)),
    ]
    parity = [
        System(
            name if beams == 1 else f"{name}-{beams}-beams",
            "quest22",
            f"{name}, {_beams(beams)}",
            {"long_form": name, "beam_size": beams},
            noise=("first",) if beams == 1 else (),
        )
        for name in ("chunked", "sequential")
        for beams in (1, 5)
    ]
    return [*qualities, *parity]


def _precisions() -> list[System]:
    return [
        System(f"{DEFAULT}-{name}", "quest22", f"{DEFAULT}, {name}", compute_type=name)
        for name in PRECISIONS
    ]


def _faster_whisper(batched: bool, beams: int, compute_type: str) -> System:
    int8 = compute_type == "int8"
    name = ["faster-whisper", *["batched"] * batched, *["1-beam"] * (beams == 1), *["int8"] * int8]
    label = f"faster-whisper{' batched' * batched}, {_beams(beams)}{', int8' * int8}"
    return System(
        "-".join(name),
        "faster-whisper",
        label,
        {} if beams == 5 else {"beam_size": beams},
        compute_type,
        batched,
        noise=() if int8 else ("first",),
    )


def _beams(count: int) -> str:
    return "greedy" if count == 1 else f"{count} beams"


def _openai_whisper() -> System:
    """With the options of its command, which are not those of its function."""
    options = {"beam_size": 5, "best_of": 5}
    return System(
        "openai-whisper", "openai-whisper", "openai-whisper, 5 beams", options, noise=("first",)
    )


ON_TORCH = tuple(
    System(f"torch-{name}", "quest22", f"PyTorch, {name}", {"engine": "torch"}, name)
    for name in ("float32", "bfloat16", "int8_weights_bfloat16", "fp8_encoder")
)
"""The engine for GPUs, which a CPU runs slowly: measured where it is named, and not on the page."""

SYSTEMS = (
    *_modes(),
    *_precisions(),
    *starmap(_faster_whisper, product((False, True), (5, 1), ("float32", "int8"))),
    _openai_whisper(),
)


def chosen(patterns: Sequence[str]) -> list[System]:
    """The systems whose names match one of the patterns, such as ``balanced*``; the page's without.

    Raises :class:`UsageError` for a pattern that matches none.
    """
    every = (*SYSTEMS, *ON_TORCH) if patterns else SYSTEMS
    for pattern in patterns:
        if not any(fnmatch(each.name, pattern) for each in every):
            known = ", ".join(each.name for each in every)
            raise UsageError(f"--systems {pattern}: expected some of {known}")
    return [
        each
        for each in every
        if not patterns or any(fnmatch(each.name, pattern) for pattern in patterns)
    ]
