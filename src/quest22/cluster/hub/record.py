"""What a dataset on the Hub says of itself: which units are in which of its files.

``quest22.json`` is written in the same commit as the files that it names, so whoever reads both at
one commit knows what is published, whoever published it, and on whatever machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from quest22.cluster.hub.files import BuiltFile, UnitsFile
from quest22.sink.formats.arrow_table import schema_from_text, schema_to_text
from quest22.sink.run_counts import RunCounts

if TYPE_CHECKING:
    import pyarrow as pa
    from huggingface_hub import RepoFile


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file in the repository; ``key`` is that of the :class:`UnitsFile` it was made from."""

    key: str
    units: int
    size: int
    sha256: str
    counts: RunCounts

    @classmethod
    def of(cls, built: BuiltFile) -> PublishedFile:
        """A file that is to be uploaded."""
        size, digest = built.path.stat().st_size, hashlib.sha256()
        with built.path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        units = len(built.source.units)
        return cls(built.source.key, units, size, digest.hexdigest(), built.counts)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> PublishedFile:
        """The file that :meth:`to_json` described."""
        counts = RunCounts.from_json(stored["counts"])
        return cls(stored["key"], stored["units"], stored["size"], stored["sha256"], counts)

    def to_json(self) -> dict[str, Any]:
        """The file as JSON values."""
        return {
            "key": self.key,
            "units": self.units,
            "size": self.size,
            "sha256": self.sha256,
            "counts": self.counts.to_json(),
        }

    def is_at(self, entry: RepoFile | None) -> bool:
        """Whether the repository still has this content there, by its size and its hash."""
        if entry is None or entry.size != self.size:
            return False
        return entry.lfs is None or bool(entry.lfs.sha256 == self.sha256)


@dataclass(frozen=True, slots=True)
class HubRecord:
    """``run`` identifies the plan; ``source`` has the licence and languages of its dataset."""

    run: str
    planned_units: int
    failed_units: int = 0
    finished: bool = False
    files: Mapping[int, PublishedFile] = field(default_factory=dict)
    schema: pa.Schema | None = None
    source: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> HubRecord:
        """Raises KeyError, TypeError or ValueError for what is no record of a cluster."""
        cluster = stored["cluster"]
        files = cluster["files"].items()
        return cls(
            stored["run"],
            cluster["planned_units"],
            cluster["failed_units"],
            stored["finished"],
            {int(index): PublishedFile.from_json(each) for index, each in files},
            schema_from_text(cluster["schema"]),
            cluster["source"],
        )

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values; the totals come first, for those who read it."""
        counts = self.counts
        return {
            "quest22": 1,
            "run": self.run,
            "finished": self.finished,
            "transcripts": counts.transcripts,
            "failures": counts.failures,
            "audio_seconds": round(counts.audio_s, 3),
            "cluster": {
                "planned_units": self.planned_units,
                "published_units": self.units,
                "failed_units": self.failed_units,
                "source": dict(self.source),
                "schema": schema_to_text(self.schema),
                "files": {f"{index:05d}": each.to_json() for index, each in self.files.items()},
            },
        }

    @property
    def counts(self) -> RunCounts:
        """The totals of all files."""
        return RunCounts.total(each.counts for each in self.files.values())

    @property
    def units(self) -> int:
        """How many units are published."""
        return sum(each.units for each in self.files.values())

    def holds(self, file: UnitsFile) -> bool:
        """Whether exactly these units are published, of these rounds."""
        known = self.files.get(file.index)
        return known is not None and known.key == file.key

    def checked(self, name_of: Callable[[int], str], tree: Mapping[str, RepoFile]) -> HubRecord:
        """Without the files that the repository no longer has as they were published."""
        files = self.files.items()
        kept = {index: each for index, each in files if each.is_at(tree.get(name_of(index)))}
        return replace(self, files=kept)

    def with_files(self, built: Mapping[int, PublishedFile], schema: pa.Schema) -> HubRecord:
        """The record after these files have been uploaded."""
        return replace(self, files=dict(sorted({**self.files, **built}.items())), schema=schema)
