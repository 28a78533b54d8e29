"""A dataset in which much is wrong, small enough to be read hundreds of times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support.corpora import Sample, samples, write_parquet

_BAD = {
    3: b"",
    8: b"RIFF but no sound",
    9: b"\x00" * 64,
    17: b"OggS\x00\x02" + b"\xff" * 40,
}


def rows(count: int, *, healed: bool = False) -> list[Sample]:
    """Rows of which some hold no sound and some share a key, or a file name, with another.

    ``healed``: all hold sound.
    """
    made = samples(count)
    for number in range(count):
        kind = number % 20
        if kind in _BAD and not healed:
            made[number] = replace(made[number], sound=_BAD[kind])
        if kind in (5, 6, 13):
            made[number] = replace(made[number], id="the same")
        if kind in (11, 12):
            made[number] = replace(made[number], id="A/b?" if kind == 11 else "a/B_")
    return made


def write_rows(folder: Path, count: int, *, healed: bool = False) -> None:
    """Three Parquet files with row groups of five."""
    made, third = rows(count, healed=healed), -(-count // 3)
    for part in range(3):
        chosen = made[part * third : (part + 1) * third]
        write_parquet(folder / f"part-{part}.parquet", chosen, group=5)
