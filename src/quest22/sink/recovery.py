"""Outputs of a run that died: cut off at what it has published, and made whole for others.

What it wrote beyond its mark is done again, perhaps elsewhere, so here it goes; where others go on,
what waits to become Parquet becomes it. The run can still be continued: nothing that it needs is
removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from quest22.protocols import SinkState
from quest22.settings import OutputSettings
from quest22.sink.build import NAMES, open_sinks
from quest22.sink.captions import CAPTIONS
from quest22.sink.file_names import remembered
from quest22.sink.files import writing

_ENDINGS = tuple(f".{suffix}{state}" for suffix in CAPTIONS for state in ("", ".partial"))


def conclude(settings: OutputSettings, kept: SinkState) -> None:
    """Leave a folder's outputs as ``kept`` says that they are published. Raises SinkError."""
    remove_unpublished(settings, kept)
    sinks = open_sinks(settings, kept)
    sinks.publish()
    sinks.close()


def remove_unpublished(settings: OutputSettings, kept: SinkState) -> None:
    """Remove captions that are not published, while it is still known which they are.

    A run that continues forgets their names before it writes them again.
    """
    for path in _beyond(settings, kept):
        with writing(path):
            path.unlink(missing_ok=True)


def _beyond(settings: OutputSettings, kept: SinkState) -> Iterator[Path]:
    """Captions that were written but not published: names are kept before files are written."""
    names, folder = settings.workspace / NAMES, settings.folder
    if folder is None or not names.exists():
        return
    known = int(kept.get("captions", {}).get("bytes", 0))
    stems = set(_stems(names, known))
    for path in folder.rglob("*") if stems else ():
        written = next((ending for ending in _ENDINGS if path.name.endswith(ending)), "")
        stem = path.relative_to(folder).as_posix().removesuffix(written)
        if written and stem.casefold() in stems:
            yield path


def _stems(names: Path, known: int) -> Iterator[str]:
    """The names behind so many bytes; a loss of power may have spoilt the last ones."""
    with writing(names), names.open("rb") as lines, suppress(ValueError, KeyError, TypeError):
        lines.seek(known)
        yield from remembered(lines)
