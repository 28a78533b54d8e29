"""Where a run's outputs, its journal and its lock live: today a folder on this machine.

A run into shards has one store for all of them and a store below it for each. Runs know stores by
the protocol alone, so that cluster workers can be given one that keeps journal and outputs
elsewhere; its ``folder`` is then where sinks write before they are uploaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from quest22.errors import UsageError
from quest22.runs.journal import JOURNAL, Journal
from quest22.runs.plan import Plan, Request
from quest22.settings import RUN_FOLDER, DatasetSettings
from quest22.sink.files import writing
from quest22.system.locks import try_lock, wait_for_lock

LOCK = f"{RUN_FOLDER}/lock"
SHARDS_LOCK = f"{RUN_FOLDER}/shards.lock"
_SHARDS = "shard-*-of-*"


class RunStore(Protocol):
    """Where runs are kept: one run, or a run a shard."""

    @property
    def folder(self) -> Path:
        """Where outputs are written."""
        ...

    def for_shard(self, dataset: DatasetSettings) -> RunStore:
        """The store of the one run that reads these rows: itself, or a shard's own."""
        ...

    def runs(self) -> list[RunStore]:
        """The stores that hold a run: this one and its shards'."""
        ...

    def read_journal(self) -> Journal | None:
        """The journal of the run that was begun here, or None."""
        ...

    def begin_journal(self, plan: Plan, request: Request) -> Journal:
        """A new journal, in place of any other."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes from writing here; refused while one does."""
        ...

    def is_locked(self) -> bool:
        """True while a process writes here."""
        ...

    def lock_shards(self) -> AbstractContextManager[None]:
        """Wait until no other process looks at the shards in this store."""
        ...


@dataclass(frozen=True, slots=True)
class LocalRunStore:
    """A folder on this machine, made when a run begins in it."""

    folder: Path

    def for_shard(self, dataset: DatasetSettings) -> LocalRunStore:
        if dataset.num_shards == 1:
            return self
        name = f"shard-{dataset.shard_index:05d}-of-{dataset.num_shards:05d}"
        return LocalRunStore(self.folder / name)

    def runs(self) -> list[RunStore]:
        folders = [self.folder, *sorted(self.folder.glob(_SHARDS))]
        return [LocalRunStore(folder) for folder in folders if (folder / JOURNAL).exists()]

    def read_journal(self) -> Journal | None:
        return Journal.read(self.folder)

    def begin_journal(self, plan: Plan, request: Request) -> Journal:
        return Journal.begin(self.folder, plan, request)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """The lock ends with the process, however that ends.

        Raises :class:`UsageError` where another process holds it, and
        :class:`quest22.errors.SinkError` where the folder cannot be made.
        """
        with _opened(self.folder / LOCK) as file:
            if not try_lock(file):
                raise UsageError(
                    f"another process is writing into {self.folder}: wait for it, or choose "
                    "another --output-dir"
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
    """The journal of the run in a store. Raises :class:`UsageError` where there is none."""
    journal = store.read_journal()
    if journal is None:
        raise UsageError(f"{store.folder} holds no run: name the --output-dir of quest22 stream")
    return journal


def _opened(path: Path) -> BinaryIO:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
