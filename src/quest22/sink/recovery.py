"""Restores the outputs of an interrupted run to their last published state.

What the run wrote after that is written again when it continues, perhaps in another folder, so
here it is cut off. The run can still be continued: nothing it needs is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from quest22.protocols import SinkState
from quest22.settings import OutputSettings
from quest22.sink.build import NAMES, open_sinks
from quest22.sink.file_names import folded, read_stems
from quest22.sink.files import writing
from quest22.sink.formats.captions import CAPTIONS

_ENDINGS = tuple(f".{suffix}{state}" for suffix in CAPTIONS for state in ("", ".partial"))


def restore_published(settings: OutputSettings, state: SinkState) -> None:
    """Leave a folder's outputs as ``state`` describes them, Parquet included. Raises SinkError."""
    remove_unpublished(settings, state)
    sinks = open_sinks(settings, state)
    sinks.publish()
    sinks.close()


def remove_unpublished(settings: OutputSettings, state: SinkState) -> None:
    """Delete captions that were written but not published.

    Call this before the run continues, which cuts their names off the file of names.
    """
    for path in _unpublished_captions(settings, state):
        with writing(path):
            path.unlink(missing_ok=True)


def _unpublished_captions(settings: OutputSettings, state: SinkState) -> Iterator[Path]:
    """Names are stored before the files are written, so every unpublished file has one."""
    names, folder = settings.workspace / NAMES, settings.folder
    if folder is None or not names.exists():
        return
    published = int(state.get("captions", {}).get("bytes", 0))
    stems = set(_stems_from(names, published))
    for path in folder.rglob("*") if stems else ():
        written = next((ending for ending in _ENDINGS if path.name.endswith(ending)), "")
        stem = path.relative_to(folder).as_posix().removesuffix(written)
        if written and folded(stem) in stems:
            yield path


def _stems_from(names: Path, offset: int) -> Iterator[str]:
    """The stems after ``offset`` bytes; a power failure may have damaged the last ones."""
    with writing(names), names.open("rb") as lines, suppress(ValueError, KeyError, TypeError):
        lines.seek(offset)
        yield from read_stems(lines)
