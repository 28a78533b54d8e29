"""The storage of a run's outputs, journal and lock: today a folder on this machine.

A sharded run has one store for all shards and a store below it for each. Runs use stores through
the protocol only, so cluster workers can have one that keeps journal and outputs elsewhere; sinks
then write to its ``folder`` before they are uploaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO, Protocol

from quest22.errors import UsageError
from quest22.runs.done_files import has_run_over_files
from quest22.runs.journal import JOURNAL, RETRY, Journal
from quest22.runs.plan import Plan, Request
from quest22.settings import RUN_FOLDER, DatasetSettings
from quest22.sink.files import writing
from quest22.system.locks import try_lock, wait_for_lock
from quest22.system.private_files import make_private_folder, open_private

LOCK = f"{RUN_FOLDER}/lock"
SHARDS_LOCK = f"{RUN_FOLDER}/shards.lock"
_SHARDS = "shard-*-of-*"


class RunStore(Protocol):
    """Storage of one run, or of one run per shard."""

    @property
    def folder(self) -> Path:
        """The folder for outputs."""
        ...

    def for_shard(self, dataset: DatasetSettings) -> RunStore:
        """The store of the run that reads these rows: this one, or a shard's."""
        ...

    def above(self, dataset: DatasetSettings) -> RunStore:
        """The store whose :meth:`for_shard` gives this one."""
        ...

    def runs(self) -> list[RunStore]:
        """The stores that hold a run, among this one and its shards'."""
        ...

    def read_journal(self) -> Journal | None:
        """The journal of the run in this store, or None."""
        ...

    def journal_written_at(self) -> datetime:
        """When progress was last recorded, in UTC."""
        ...

    def for_retry(self) -> RunStore:
        """The store of the run that retries the failures of this one; it needs no lock."""
        ...

    def begin_journal(self, plan: Plan, request: Request) -> Journal:
        """A new journal, which replaces any other."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Lock the store for this process; refused while another process holds the lock."""
        ...

    def is_locked(self) -> bool:
        """True while a process holds the lock."""
        ...

    def lock_shards(self) -> AbstractContextManager[None]:
        """Take the lock that guards the check for sibling shards; waits for it."""
        ...


@dataclass(frozen=True, slots=True)
class LocalRunStore:
    """A folder on this machine, created when a run starts in it."""

    folder: Path

    def for_shard(self, dataset: DatasetSettings) -> LocalRunStore:
        if dataset.num_shards == 1:
            return self
        name = f"shard-{dataset.shard_index:05d}-of-{dataset.num_shards:05d}"
        return LocalRunStore(self.folder / name)

    def above(self, dataset: DatasetSettings) -> LocalRunStore:
        return self if dataset.num_shards == 1 else LocalRunStore(self.folder.parent)

    def runs(self) -> list[RunStore]:
        folders = [self.folder, *sorted(self.folder.glob(_SHARDS))]
        return [LocalRunStore(folder) for folder in folders if (folder / JOURNAL).exists()]

    def read_journal(self) -> Journal | None:
        return Journal.read(self.folder)

    def journal_written_at(self) -> datetime:
        return datetime.fromtimestamp((self.folder / JOURNAL).stat().st_mtime, timezone.utc)

    def for_retry(self) -> LocalRunStore:
        return LocalRunStore(self.folder / RUN_FOLDER / RETRY)

    def begin_journal(self, plan: Plan, request: Request) -> Journal:
        return Journal.begin(self.folder, plan, request)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """The lock ends with the process, however the process ends.

        Raises :class:`UsageError` if another process holds it, and
        :class:`quest22.errors.SinkError` if the folder cannot be created.
        """
        with _opened(self.folder / LOCK) as file:
            if not try_lock(file):
                raise UsageError(
                    f"another process is writing to {self.folder}: wait for it, or choose another "
                    "--output-dir"
                )
            yield

    def is_locked(self) -> bool:
        try:
            with (self.folder / LOCK).open("rb") as file:
                return not try_lock(file, shared=True)
        except OSError:
            return False

    @contextmanager
    def lock_shards(self) -> Iterator[None]:
        with _opened(self.folder / SHARDS_LOCK) as file:
            wait_for_lock(file)
            yield


def existing_journal(store: RunStore) -> Journal:
    """The journal of the run in a store. Raises :class:`UsageError` if there is none."""
    journal = store.read_journal()
    if journal is None:
        if has_run_over_files(store.folder):
            raise UsageError(
                f"{store.folder} is a folder of quest22 transcribe: the same command again does "
                "what is left or has failed, and leaves out what is done"
            )
        raise UsageError(f"no run in {store.folder}: give the --output-dir of a quest22 stream run")
    return journal


def _opened(path: Path) -> BinaryIO:
    with writing(path):
        make_private_folder(path.parent)
        return open_private(path, "ab")
