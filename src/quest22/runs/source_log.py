"""What a run remembers of its data files: a list beside the journal, a line for each that it read.

A line is written before any result that comes from its file. Knows nothing of networks.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from quest22.settings import RUN_FOLDER
from quest22.sink.files import writing
from quest22.source.io.address import is_url
from quest22.source.io.file_identity import FileIdentity
from quest22.source.io.known_files import KnownFiles, OnChange, refuse_change
from quest22.source.local_files import FileKind, kind_of_path
from quest22.system.private_files import open_private

SOURCES = "sources.jsonl"

_log = logging.getLogger("quest22")


class SourceLog(KnownFiles):
    """The data files of the run in a folder, as an earlier process found them.

    Those of a run that begins are kept until :meth:`begin` is called.
    """

    def __init__(
        self, folder: Path, *, begins: bool = False, on_change: OnChange = refuse_change
    ) -> None:
        super().__init__(on_change)
        self._path = folder / RUN_FOLDER / SOURCES
        self._begins = begins
        for line in () if begins else _lines(self._path):
            if "files" in line:
                self.names = list(line["files"])
            else:
                name = line.pop("file")
                self.identities[name] = FileIdentity(**line)

    def forget(self, names: Iterable[str]) -> None:
        """Files that may be others now."""
        for name in names:
            self.identities.pop(name, None)

    def begin(self) -> None:
        """The run has a journal: write what is known in place of what another run has written."""
        with writing(self._path):
            self._path.unlink(missing_ok=True)
        self._begins = False
        if self.names is not None:
            self.names_were_added(self.names)
        for name, identity in self.identities.items():
            self.file_was_added(name, identity)

    def names_were_added(self, names: Sequence[str]) -> None:
        self._append({"files": list(names)})

    def file_was_added(self, name: str, identity: FileIdentity) -> None:
        self._append({"file": name, **asdict(identity)})

    def _append(self, line: dict[str, Any]) -> None:
        if self._begins:
            return
        with writing(self._path), open_private(self._path, "ab") as file:
            file.write(json.dumps(line).encode() + b"\n")


def tell_changes(folder: Path) -> None:
    """Log the local data files that are others than when the finished run in ``folder`` read them.

    Looks at sizes and dates only, and asks no server.
    """
    changed: list[str] = []
    for name, identity in SourceLog(folder).identities.items():
        if is_url(name) or kind_of_path(name)[0] is not FileKind.FILE:
            continue
        with suppress(OSError), Path(name).open("rb") as file:
            change = identity.change_to(FileIdentity.of_local(file.fileno()))
            if change is not None:
                changed.append(f"{name} ({change})")
    if changed:
        more = f" and {len(changed) - 1:,} more" if len(changed) > 1 else ""
        _log.warning("data files have changed since the run read them: %s%s", changed[0], more)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; one that a crash cut off is as if it were not there."""
    if not path.exists():
        return
    with writing(path), path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict) and ("files" in record or "file" in record):
                yield record
