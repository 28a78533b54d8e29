"""Which files of a folder's runs are transcribed, so that a repeated command leaves them out.

The record is one small file in the output folder. Of each file it holds the address
without secrets, size and time of change, a digest of all settings that decide its text, and its
captions with their checksums. Of ``transcripts.jsonl`` it keeps what is needed to
append to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from quest22.errors import UsageError
from quest22.settings import RUN_FOLDER, OutputSettings
from quest22.sink.build import TRANSCRIPTS
from quest22.sink.file_names import OutputNames, folded
from quest22.sink.files import writing
from quest22.sink.formats.captions import CAPTIONS
from quest22.system.private_files import make_private_folder, write_private

DONE = f"{RUN_FOLDER}/done.json"
STATE = "files"
"""What the names of the folders begin with in which runs that stopped early keep their journals."""
FORMAT = 1
TABLES = ("jsonl", "parquet")
_NOT_DECIDING = ("quest22", "files")

Identity = Sequence[Any]
"""Address, size in bytes and time of change of a file."""


def has_run_over_files(folder: Path) -> bool:
    """Whether files were transcribed into a folder, by a run that is finished or stopped early."""
    return (folder / DONE).exists() or any((folder / RUN_FOLDER).glob(f"{STATE}-*"))


@dataclass(frozen=True, slots=True)
class DoneFile:
    """A file that was transcribed; ``captions`` maps the path of each to its checksum."""

    size: int | None
    changed: int | None
    settings: str
    stem: str = ""
    captions: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class DoneFiles:
    """The record of a folder: files by their address, and the tables of the last run."""

    folder: Path
    files: dict[str, DoneFile] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> DoneFiles:
        """The record of a folder; an empty one if there is none that can be read."""
        try:
            record = json.loads((folder / DONE).read_bytes())
            if record["quest22_done"] != FORMAT:
                return cls(folder)
            files = {address: DoneFile(**each) for address, each in record["files"].items()}
            return cls(folder, files, dict(record["tables"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls(folder)

    def write(self) -> None:
        """Replace the record atomically. Raises :class:`quest22.errors.SinkError`."""
        record = {
            "quest22_done": FORMAT,
            "tables": self.tables,
            "files": {address: asdict(each) for address, each in self.files.items()},
        }
        path = self.folder / DONE
        with writing(path):
            make_private_folder(path.parent)
            write_private(path, json.dumps(record, ensure_ascii=False, indent=1).encode())

    def has_tables(self, output: OutputSettings, settings: str) -> bool:
        """Whether the tables that are asked for are those of the recorded files."""
        wanted = [name for name in TABLES if name in output.formats]
        known = self.tables.get("settings") == settings
        return known and all((self.folder / f"{TRANSCRIPTS}.{name}").is_file() for name in wanted)

    def is_done(self, identity: Identity, settings: str) -> bool:
        """Whether a file was transcribed as it is, with these settings, and its captions exist.

        Those that somebody has edited count: see :meth:`edited`.
        """
        address, size, changed = identity
        found = self.files.get(str(address))
        if found is None or (found.size, found.changed) != (size, changed):
            return False
        present = all((self.folder / path).is_file() for path in found.captions)
        return found.settings == settings and present

    def changed(self, identities: Iterable[Identity], settings: str) -> list[str]:
        """The addresses of files that were transcribed with these settings and are others now."""
        return [
            str(address)
            for address, size, changed in identities
            if (found := self.files.get(str(address))) is not None
            and found.settings == settings
            and (found.size, found.changed) != (size, changed)
        ]

    def edited(self, addresses: Iterable[str]) -> list[str]:
        """The captions of some files that are not as they were written."""
        return [
            path
            for address in addresses
            for path, checksum in self.files[address].captions.items()
            if _checksum(self.folder / path) != checksum
        ]

    def stems(self, addresses: Iterable[str]) -> list[str]:
        """The names of some files' captions, folded, which no other file may get."""
        return [folded(stem) for each in addresses if (stem := self.files[each].stem)]

    def add(
        self,
        done: Iterable[tuple[Identity, str]],
        settings: str,
        formats: Iterable[str],
        reserved: Iterable[str],
    ) -> None:
        """Record transcribed files with their clips' names, in the order of the run."""
        suffixes = [name for name in formats if name in CAPTIONS]
        names = OutputNames(self.folder, reserved=reserved)
        for (address, size, changed), name in done:
            stem = names.stem(name) if suffixes else None
            self.files[str(address)] = DoneFile(
                size,
                changed,
                settings,
                "" if stem is None else stem.relative_to(self.folder).as_posix(),
                {} if stem is None else self._captions(stem, suffixes),
            )

    def _captions(self, stem: Path, suffixes: Iterable[str]) -> dict[str, str]:
        paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in suffixes]
        return {path.relative_to(self.folder).as_posix(): _checksum(path) for path in paths}


def settings_digest(plan: Mapping[str, Any]) -> str:
    """A digest of what decides a file's text, whichever other files the run has."""
    deciding = {name: each for name, each in plan.items() if name not in _NOT_DECIDING}
    deciding["model"] = {name: each for name, each in plan["model"].items() if name != "batch_size"}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True, default=str).encode()).hexdigest()


def refuse_changes(output: OutputSettings, done: DoneFiles, changed: Sequence[str]) -> None:
    """Raise UsageError for changed files whose former rows are in a table."""
    tables = [f"{TRANSCRIPTS}.{name}" for name in TABLES if name in output.formats]
    if changed and tables:
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        raise UsageError(
            f"{changed[0]}{more} has changed since it was transcribed, and {done.folder} has its "
            f"row in {tables[0]}: start over with --overwrite, or choose another --output-dir"
        )


def refuse_additions(output: OutputSettings, done: DoneFiles, remaining: int) -> None:
    """Raise UsageError for files that would have to go into a finished Parquet file."""
    if remaining and "parquet" in output.formats:
        raise UsageError(
            f"{done.folder / TRANSCRIPTS}.parquet is finished, and {remaining} more files are to "
            "be transcribed: choose another --output-dir for them, or start over with --overwrite"
        )


def _checksum(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    return f"{len(content)}-{crc32(content):08x}"
