"""The runs of one output folder: the whole of a dataset in it, or shards in folders below.

Shards of one number may run side by side. Those of another number go on with what they have left:
so however often the number changes, every row is in exactly one folder. Two numbers never run at
the same time: each run holds its own folder first and looks for others after, so of two that begin
together at least one sees the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from quest22.errors import UsageError
from quest22.runs.journal import JOURNAL, Journal, held, is_held
from quest22.runs.plan import RunSettings
from quest22.settings import RUN_FOLDER, DatasetSettings, OutputSettings
from quest22.sink.files import writing
from quest22.sink.recovery import restore_published
from quest22.source.shards import EarlierShard
from quest22.system.locks import wait_for_lock

_SHARDS = "shard-*-of-*"
_LOCK = f"{RUN_FOLDER}/shards.lock"
_CONCLUDED = "concluded"
_DIFFERENT = ("num_shards", "shard_index")


def folder_of(parent: Path, rows: DatasetSettings) -> Path:
    """Where a run goes: all rows into the folder itself, a shard into one of its own in it."""
    if rows.num_shards == 1:
        return parent
    return parent / f"shard-{rows.shard_index:05d}-of-{rows.num_shards:05d}"


def runs_in(parent: Path) -> list[Path]:
    """The folders of the runs that share a folder."""
    folders = [parent, *sorted(parent.glob(_SHARDS))]
    return [folder for folder in folders if (folder / JOURNAL).exists()]


@dataclass(frozen=True, slots=True)
class SiblingShards:
    """The other runs that share a folder with one of so many shards."""

    parent: Path
    num_shards: int
    journals: tuple[Journal, ...] = ()

    @classmethod
    def of(cls, parent: Path, rows: DatasetSettings) -> SiblingShards:
        own = folder_of(parent, rows)
        read = (Journal.read(folder) for folder in runs_in(parent) if folder != own)
        return cls(parent, rows.num_shards, tuple(each for each in read if each is not None))

    @property
    def others(self) -> list[Journal]:
        """Runs with another number of shards."""
        return [each for each in self.journals if each.plan["num_shards"] != self.num_shards]

    def told(self) -> str:
        """Those in words."""
        return _counted(self.others)

    def earlier(self) -> tuple[EarlierShard, ...]:
        """What those have done."""
        return tuple(_earlier(each) for each in self.others)

    def admit(self, settings: RunSettings, *, restart: bool) -> None:
        """Raise :class:`UsageError` where this run cannot share the folder with the others."""
        known = {name: value for name, value in settings.known().items() if name not in _DIFFERENT}
        for journal in self.journals:
            journal.check_part(known)
        if self.others and restart:
            raise UsageError(
                f"runs with {self.told()} in {self.parent} have left to this one what "
                "it did: to begin anew, remove the folder or name another"
            )
        if self.others and settings.push_to_hub is not None:
            raise UsageError(
                "shards that are published on the Hub cannot be continued with another number of "
                f"shards: {self.parent} holds {self.told()}"
            )

    def taken_over(self) -> SiblingShards:
        """The company when the outputs of the others have been left whole, as far as they came.

        Raises :class:`UsageError` where one of them is running.
        """
        if not self.others:
            return self
        with _alone(self.parent):
            for journal in self.others:
                if is_held(journal.folder):
                    raise UsageError(
                        f"{journal.folder} is being written to: wait for the runs with "
                        f"{_counted([journal])}, or stop them; then {self.num_shards} can go on"
                    )
                _conclude(journal.folder)
        read = (Journal.read(journal.folder) for journal in self.journals)
        return replace(self, journals=tuple(each for each in read if each is not None))


def reopen(journal: Journal) -> None:
    """A run goes on: should it die, its outputs have to be concluded again."""
    if journal.asked.pop(_CONCLUDED, None) is not None:
        journal.commit(journal.mark)


def _conclude(folder: Path) -> None:
    with held(folder):
        journal = Journal.read(folder)
        if journal is None:
            return
        journal.settle()
        if journal.mark.finished or _CONCLUDED in journal.asked:
            return
        formats = tuple(journal.plan["formats"])
        restore_published(OutputSettings(formats, folder, journaled=True), journal.mark.sinks)
        journal.asked[_CONCLUDED] = True
        journal.commit(journal.mark)


def _earlier(journal: Journal) -> EarlierShard:
    last = journal.mark.last
    return EarlierShard(
        journal.plan["num_shards"],
        journal.plan["shard_index"],
        last.origin if last else None,
        journal.mark.finished,
    )


def _counted(journals: Sequence[Journal]) -> str:
    numbers = sorted({journal.plan["num_shards"] for journal in journals})
    return " and ".join(f"{number} shard{'s' if number > 1 else ''}" for number in numbers)


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """Wait until no other run looks at its company in this folder."""
    path = parent / _LOCK
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    with file:
        wait_for_lock(file)
        yield
