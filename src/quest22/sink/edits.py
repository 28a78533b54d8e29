"""Notices what people did to a run's outputs since the run wrote them, before it goes on.

What a run has published must be there unchanged, or it cannot continue. What follows that is the
run's own, which is written again; anything else is kept in a file beside. Captions are their
reader's: a run never needs them again, so those that are gone or edited are only told.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from quest22.errors import SinkError
from quest22.protocols import SinkState
from quest22.settings import OutputSettings
from quest22.sink.build import FAILURES, NAMES, NOTES, ROWS, TRANSCRIPTS
from quest22.sink.file_names import read_files
from quest22.sink.file_state import BLOCK_BYTES, FileState, end_of_own_lines
from quest22.sink.files import read_lines, writing
from quest22.sink.formats.parquet import count_rows
from quest22.sink.ledger import LEDGER

CUT = ".cut"
COMPARED_BYTES = 256 << 20
"""Captions are read up to this many bytes in all; of the others, only the size is compared."""
_SHOWN = 3
_INSTEAD = {"jsonl": "; quest22 export writes what is there in other formats"}
"""What else can be done about a file that was changed, by sink."""


def check_outputs(
    settings: OutputSettings, state: SinkState, finished: int | None = None, *, whole: bool = False
) -> list[str]:
    """Compare outputs with what their sinks published, and keep what others added.

    Returns lines that say what was found and done. ``finished``: the number of transcripts of a run
    that is, whose Parquet file is complete. ``whole``: compare files as a whole, however large.

    Raises:
        SinkError: What was published is gone or changed.
    """
    published = _published(settings, state, finished)
    if finished is not None and "parquet" in state:
        _check_rows(_parquet_file(settings), finished)
    for sink, (path, expected) in published.items():
        expected.check(path, whole=whole, instead=_INSTEAD.get(sink, ""))
    found = [
        line
        for sink, notes in NOTES.items()
        if sink in state  # else the file is of an earlier run, whose place this one takes
        for line in _keep_added(*published[sink], settings.workspace / notes)
    ]
    return [*found, *_changed_captions(settings, state)]


def find_edits(settings: OutputSettings, state: SinkState, finished: int) -> list[str]:
    """What others did to the outputs of a complete run, a line each; changes nothing.

    ``finished`` is its number of transcripts. Files are compared as :func:`check_outputs` does
    before a run goes on.
    """
    found: list[str] = []
    if "parquet" in state:
        found += _told(lambda: _check_rows(_parquet_file(settings), finished))
    for sink, (path, expected) in _published(settings, state, finished).items():
        change = _told(partial(expected.check, path))
        more = path.stat().st_size - expected.size if sink in state and path.exists() else 0
        if not change and more > 0:
            change = [f"{path} was changed since the run wrote it: {more:,} bytes more at the end"]
        found += change
    return [*found, *_changed_captions(settings, state)]


def _told(check: Callable[[], None]) -> list[str]:
    """What a check raises, as a line."""
    try:
        check()
    except SinkError as error:
        return [str(error)]
    return []


def _published(
    settings: OutputSettings, state: SinkState, finished: int | None
) -> dict[str, tuple[Path, FileState]]:
    """The files that sinks have written, with the state in which they published them."""
    folder, workspace = settings.folder or Path(), settings.workspace
    files = {
        "failures": folder / FAILURES,
        "jsonl": folder / f"{TRANSCRIPTS}.jsonl",
        "parquet": workspace / ROWS,
        "captions": workspace / NAMES,
        "ledger": workspace / LEDGER,
    }
    if finished is not None:
        del files["parquet"]
    return {sink: (path, FileState.of(state.get(sink))) for sink, path in files.items()}


def _parquet_file(settings: OutputSettings) -> Path:
    return (settings.folder or Path()) / f"{TRANSCRIPTS}.parquet"


def _changed_captions(settings: OutputSettings, state: SinkState) -> Iterator[str]:
    size = FileState.of(state.get("captions")).size
    return _edited_captions(settings.folder or Path(), settings.workspace / NAMES, size)


def _check_rows(path: Path, count: int) -> None:
    rows = count_rows(path)
    if rows != count:
        raise SinkError(
            f"{path} was changed since the run wrote it: it has {rows:,} rows, not {count:,}; put "
            "it back as it was, or start over with --restart"
        )


def _keep_added(path: Path, published: FileState, notes: Path) -> Iterator[str]:
    """Copy what others added to a file, which the run is about to cut off."""
    if not path.exists() or path.stat().st_size <= published.size:
        return
    with writing(path):
        own = end_of_own_lines(path, published.size, notes)
        size = path.stat().st_size - own
        if size > 0:
            kept = _copy_from(path, own)
            yield (
                f"{path} was changed since the run wrote it: {size:,} bytes more at the end, which "
                f"are kept in {kept.name}"
            )


def _copy_from(path: Path, offset: int) -> Path:
    """The rest of a file in a file of its own, which is durable; found if it was copied before."""
    number = 1
    while True:
        target = path.with_name(f"{path.name}{CUT}{'' if number == 1 else f'-{number}'}")
        with path.open("rb") as source:
            source.seek(offset)
            if not target.exists():
                with target.open("xb") as file:
                    while block := source.read(BLOCK_BYTES):
                        file.write(block)
                    file.flush()
                    os.fsync(file.fileno())
                return target
            with target.open("rb") as known:
                if _is_same(source, known):
                    return target
        number += 1


def _is_same(first: BinaryIO, second: BinaryIO) -> bool:
    """Whether the rests of two files are equal."""
    while (block := first.read(BLOCK_BYTES)) == second.read(BLOCK_BYTES):
        if not block:
            return True
    return False


def _edited_captions(folder: Path, names: Path, size: int) -> Iterator[str]:
    """A line about captions that are gone, and one about those that are others."""
    found: dict[str, list[str]] = {"gone": [], "changed": []}
    compared = 0
    for name, (length, crc) in read_files(read_lines(names, size)) if size else ():
        path = folder / name
        try:
            same = path.stat().st_size == length
            if same and compared < COMPARED_BYTES:
                compared += length
                same = crc32(path.read_bytes()) == crc
            if not same:
                found["changed"].append(name)
        except OSError:
            found["gone"].append(name)
    for what, files in found.items():
        if files:
            shown = ", ".join(islice(files, _SHOWN))
            more = f" and {len(files) - _SHOWN:,} more" if len(files) > _SHOWN else ""
            yield (
                f"captions in {folder} are {what} since the run wrote them, and are left so: "
                f"{shown}{more}"
            )
