"""The runs that share an output folder: a whole dataset in it, or shards in subfolders.

Shards with the same number of shards may run at the same time. Shards with another number continue
with the remaining rows, so that every row is in exactly one folder, however often the number
changes. Runs with different numbers never run at the same time: each run locks its own folder first
and then looks for others, so of two that start together at least one sees the other.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from quest22.errors import UsageError
from quest22.runs.journal import Journal
from quest22.runs.plan import as_begun, known_plan
from quest22.runs.settings import RunSettings
from quest22.runs.store import RunStore
from quest22.settings import DatasetSettings, OutputSettings
from quest22.sink.edits import check_outputs
from quest22.sink.recovery import restore_published
from quest22.source.shards import EarlierShard, last_done

_log = logging.getLogger("quest22")

_FINALIZED = "concluded"  # the name that journals have
_OWN_SETTINGS = ("num_shards", "shard_index")
"""Dataset settings in which the shards of a run differ."""


@dataclass(frozen=True, slots=True)
class SiblingShard:
    """Another run in the same folder, and its journal."""

    store: RunStore
    journal: Journal

    @property
    def num_shards(self) -> int:
        return int(self.journal.plan["dataset"]["num_shards"])

    def completed(self) -> EarlierShard:
        """The rows that it has completed."""
        progress = self.journal.progress
        return EarlierShard(
            self.num_shards,
            self.journal.plan["dataset"]["shard_index"],
            last_done(progress.last) if progress.last else None,
            progress.finished,
        )

    def finalize(self) -> SiblingShard | None:
        """Truncate its outputs to its recorded progress, and complete them.

        Returns the shard as it is then, None if it no longer exists.
        """
        with self.store.lock():
            journal = self.store.read_journal()
            if journal is None:
                return None
            journal.finish_replacement()
            if not journal.progress.finished and _FINALIZED not in journal.request:
                formats = tuple(journal.plan["output"]["formats"])
                output = OutputSettings(formats, self.store.folder, journaled=True)
                for line in check_outputs(output, journal.progress.sinks):
                    _log.warning(line)
                restore_published(output, journal.progress.sinks)
                journal.request[_FINALIZED] = True
                journal.commit(journal.progress)
            return replace(self, journal=journal)


@dataclass(frozen=True, slots=True)
class SiblingShards:
    """The other runs that share a folder with one of ``num_shards`` shards."""

    store: RunStore
    num_shards: int
    shards: tuple[SiblingShard, ...] = ()

    @classmethod
    def of(cls, store: RunStore, dataset: DatasetSettings) -> SiblingShards:
        """``store`` is the one that holds all shards."""
        own = store.for_shard(dataset)
        read = ((each, each.read_journal()) for each in store.runs() if each != own)
        shards = (SiblingShard(each, journal) for each, journal in read if journal is not None)
        return cls(store, dataset.num_shards, tuple(shards))

    @property
    def differently_split(self) -> tuple[SiblingShard, ...]:
        """The runs with another number of shards."""
        return tuple(each for each in self.shards if each.num_shards != self.num_shards)

    @property
    def other_numbers(self) -> tuple[int, ...]:
        """Their numbers of shards."""
        return tuple(sorted({each.num_shards for each in self.differently_split}))

    def completed(self) -> tuple[EarlierShard, ...]:
        """The rows that they have completed."""
        return tuple(each.completed() for each in self.differently_split)

    def check(self, settings: RunSettings) -> None:
        """Raise :class:`UsageError` if a run cannot share the folder with the others."""
        if self.shards:
            settings = as_begun(settings, self.shards[0].journal.plan)
        plan = known_plan(settings)
        dataset = plan["dataset"].items()
        plan["dataset"] = {name: each for name, each in dataset if name not in _OWN_SETTINGS}
        for each in self.shards:
            each.journal.check_known(plan)
        if self.differently_split and settings.restart:
            raise UsageError(
                f"runs with {shard_counts(self.other_numbers)} in {self.store.folder} build on "
                "the results of this run, so it cannot start over: remove the folder or choose "
                "another --output-dir"
            )
        if self.differently_split and settings.push_to_hub is not None:
            raise UsageError(
                f"a run that is published on the Hub must keep its number of shards: "
                f"{self.store.folder} contains {shard_counts(self.other_numbers)}"
            )

    def take_over(self) -> SiblingShards:
        """Finalize the outputs of runs with another number of shards, to continue with the rest.

        Returns the siblings as they are then. Raises :class:`UsageError` while one of them runs.
        """
        if not self.differently_split:
            return self
        with self.store.lock_shards():
            left = [
                each if each.num_shards == self.num_shards else self._finalize(each)
                for each in self.shards
            ]
        return replace(self, shards=tuple(each for each in left if each is not None))

    def _finalize(self, shard: SiblingShard) -> SiblingShard | None:
        if shard.store.is_locked():
            raise UsageError(
                f"{shard.store.folder} is in use: wait for the runs with "
                f"{shard_counts((shard.num_shards,))} or stop them, then run "
                f"{shard_counts((self.num_shards,))}"
            )
        return shard.finalize()


def reopen(journal: Journal) -> None:
    """Mark a finalized run as running again: if it dies, its outputs must be finalized again."""
    if journal.request.pop(_FINALIZED, None) is not None:
        journal.commit(journal.progress)


def shard_counts(numbers: tuple[int, ...]) -> str:
    """``2 shards and 5 shards``."""
    return " and ".join(f"{number} shard{'s' if number > 1 else ''}" for number in numbers)
