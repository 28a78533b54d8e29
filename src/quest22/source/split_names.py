"""Finds the files of a split by their names, as ``datasets`` does for whole folders.

``train-00000.parquet``, ``data/test/a.tar`` and ``dev.jsonl`` say which split they belong to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from quest22.errors import SourceError
from quest22.source.io.address import common_folder, redact

_KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SEPARATORS = re.compile(r"[-._ /\\]")
USUAL_SPLIT = "train"


def files_of_split(files: Sequence[str], split: str) -> list[str]:
    """Those of a dataset's files whose names say that they are of this split.

    All of them if no name says so; for the usual split, also if all are of others. Raises
    SourceError if the files are of other splits.
    """
    named = {file: _split_of(file, split, files) for file in files}
    chosen = [file for file, name in named.items() if name == split]
    others = sorted({name for name in named.values() if name})
    if chosen or not others or split == USUAL_SPLIT:
        return chosen or list(files)
    raise SourceError(
        f"there is no split {split!r}: the data files are named after {', '.join(others)}"
    )


def _split_of(file: str, split: str, files: Sequence[str]) -> str | None:
    """The split in a file's name or, if there is none, in the folders below the common one."""
    base = common_folder(files) or ""
    path = file.partition("?")[0].removeprefix(base)
    keywords = {split: (split,)} | _KEYWORDS
    folders, _, name = path.rpartition("/")
    for part in (name, folders):
        words = _SEPARATORS.split(part.lower())
        for each, names in keywords.items():
            if any(keyword.lower() in words for keyword in names):
                return each
    return None


def describe(files: Sequence[str]) -> str:
    """A few files for a message."""
    shown = ", ".join(redact(file) for file in files[:3])
    return shown if len(files) <= 3 else f"{shown} and {len(files) - 3:,} more"
