"""A dataset in which much is wrong, small enough to be read hundreds of times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from tests.support.corpora import Sample, samples, write_parquet

_BAD = {
    3: b"",
    8: b"RIFF but no sound",
    9: b"\x00" * 64,
    17: b"OggS\x00\x02" + b"\xff" * 40,
}
_IDS = {
    1: ".quest22/journal",
    2: "transcripts.jsonl/x",
    4: "nul." + "x" * 300,
    5: "the same",
    6: "the same",
    7: "failures.jsonl",
    10: "../failures.jsonl",
    11: "A/b?",
    12: "a/B_",
    13: "the same",
    14: "a.srt/b",
    15: "a",
}
"""Some repeat, some differ in spelling alone, and some are names of the program's own files."""


def rows(count: int, *, healed: bool = False) -> list[Sample]:
    """Rows of which some hold no sound, and some have hostile keys: see :data:`_IDS`.

    ``healed``: all hold sound.
    """
    made = samples(count)
    for number in range(count):
        kind = number % 20
        if kind in _BAD and not healed:
            made[number] = replace(made[number], sound=_BAD[kind])
        if kind in _IDS:
            made[number] = replace(made[number], id=_IDS[kind])
    return made


def write_rows(folder: Path, count: int, *, healed: bool = False) -> None:
    """Three Parquet files with row groups of five; one is corrupt in the second file."""
    made, third = rows(count, healed=healed), -(-count // 3)
    for part in range(3):
        chosen = made[part * third : (part + 1) * third]
        path = folder / f"part-{part}.parquet"
        write_parquet(path, chosen, group=5)
        if part == 1 and len(chosen) > 10 and not healed:
            _corrupt(path, group=1)


def _corrupt(path: Path, group: int) -> None:
    """Damage the first page of sound in a row group."""
    chunk = pq.read_metadata(path).row_group(group).column(1)
    with path.open("r+b") as file:
        file.seek(chunk.data_page_offset)
        file.write(b"\xff" * 64)
