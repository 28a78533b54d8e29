"""Outputs of a run that others go on with: cut off at what it has published, and whole.

What a killed run wrote beyond its mark is done again elsewhere, so here it goes; what waits to
become Parquet becomes it. The run can still be continued: nothing that it needs is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from quest22.sink.captions import CAPTIONS
from quest22.sink.open import NAMES, OutputSettings, open_sinks
from quest22.sink.output import writing
from quest22.sink.spool import Spool
from quest22.stages import SinkState


def conclude(settings: OutputSettings, kept: SinkState) -> None:
    """Leave a folder's outputs as ``kept`` says that they are published. Raises SinkError."""
    for path in _beyond(settings, kept):
        with writing(path):
            path.unlink(missing_ok=True)
    sinks = open_sinks(settings, kept)
    sinks.publish()
    sinks.close()


def _beyond(settings: OutputSettings, kept: SinkState) -> Iterator[Path]:
    """Captions that were written but not published: names are kept before files are written."""
    names, folder = settings.workspace / NAMES, settings.folder
    if folder is None or not names.exists():
        return
    known = int(kept.get("captions", {}).get("bytes", 0))
    given = [str(row["stem"]) for row in Spool.read(names, names.stat().st_size)]
    published = sum(1 for _ in Spool.read(names, known))
    stems = set(given[published:])
    for suffix in CAPTIONS if stems else ():
        for path in folder.rglob(f"*.{suffix}"):
            if path.relative_to(folder).as_posix().removesuffix(f".{suffix}").casefold() in stems:
                yield path
