"""Where a run stands, so that the same command continues after a crash.

The journal is one small file in the output folder: the plan, which is everything that decides what
the results are, and a mark, which says how many results are published and what each sink needs to
go on from there. Results are published first and marked after; the file is replaced whole; what a
sink wrote beyond the mark is cut off when the run continues. So every result is written exactly
once, whenever the process dies.

Knows no stage: the states of the sinks are opaque to it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from quest22.errors import UsageError
from quest22.protocols import Sink, SinkState
from quest22.records import Failure, Origin, Position, Transcript
from quest22.runs.replay import REPLAY, ReplayLog
from quest22.settings import RUN_FOLDER
from quest22.sink.files import writing
from quest22.system.durable_files import replace_file, sync_folder
from quest22.system.locks import try_lock

JOURNAL = f"{RUN_FOLDER}/journal.json"
LOCK = f"{RUN_FOLDER}/lock"
MERGE = "merge"
RETRY = "retry"
FORMAT = 1
COMMIT_SECONDS = 2.0

Plan = Mapping[str, Any]
"""What decides the results, by name: values of JSON."""

Asked = Mapping[str, Any]
"""What was asked for where the plan holds what came of it: a branch, ``auto``; the command."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come. ``sinks`` holds each sink's state by its name."""

    transcripts: int = 0
    failures: int = 0
    audio_s: float = 0.0
    last: Position | None = None
    sinks: SinkState = field(default_factory=dict)
    finished: bool = False

    @property
    def results(self) -> int:
        return self.transcripts + self.failures

    def after(self, result: Transcript | Failure) -> Progress:
        """The mark one result further on; the states of the sinks stay as they were."""
        last = Position(self.results + 1, result.key, result.origin)
        if isinstance(result, Failure):
            return replace(self, failures=self.failures + 1, last=last)
        return replace(
            self,
            transcripts=self.transcripts + 1,
            audio_s=self.audio_s + result.duration_s,
            last=last,
        )


class Journal:
    """A run's journal in its output folder, held by one process at a time."""

    def __init__(
        self, folder: Path, plan: Plan, mark: Progress, asked: Asked | None = None
    ) -> None:
        self.folder = folder
        self.plan = dict(plan)
        self.mark = mark
        self.asked = dict(asked or {})
        self._outdated: list[str] | None = None

    @classmethod
    def begin(cls, folder: Path, plan: Plan, asked: Asked | None = None) -> Journal:
        """A new journal, in place of any other. Raises :class:`quest22.errors.SinkError`."""
        journal = cls(folder, plan, Progress(), asked)
        with writing(folder):
            (folder / JOURNAL).parent.mkdir(parents=True, exist_ok=True)
            sync_folder(folder)
        journal.clear(REPLAY)  # first: what another run heard must never count for this one
        journal.commit(journal.mark)
        return journal

    @classmethod
    def read(cls, folder: Path) -> Journal | None:
        """The journal that a run left in ``folder``, or None.

        Raises :class:`UsageError` where the file there is no journal of this version.
        """
        path = folder / JOURNAL
        try:
            kept = json.loads(path.read_bytes())
            if kept["quest22_journal"] != FORMAT:
                raise ValueError(f"format {kept['quest22_journal']}")
            journal = cls(folder, kept["plan"], _mark(kept["mark"]), kept["asked"])
            journal._outdated = kept.get("outdated")
            return journal
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise UsageError(f"cannot read {path}: {exc.strerror or exc}") from exc
        except (ValueError, KeyError, TypeError) as exc:
            raise UsageError(
                f"{path} is no journal of this version of quest22 ({exc}): continue with the "
                "version that began the run, or begin anew with --restart"
            ) from exc

    def check(self, plan: Plan) -> None:
        """Refuse to continue with another plan.

        Raises :class:`UsageError` naming what has changed of all that decides the results.
        """
        self.check_part({**dict.fromkeys(self.plan), **plan})

    def check_part(self, plan: Plan) -> None:
        """The same for so much of a plan as is known."""
        wanted = json.loads(json.dumps(dict(plan)))
        changed = [
            f"{name} was {self.plan.get(name)!r} and is {wanted[name]!r}"
            for name in sorted(wanted)
            if self.plan.get(name) != wanted[name]
        ]
        if changed:
            raise UsageError(
                f"{self.folder} holds a run with other settings ({'; '.join(changed)}): repeat "
                "its command to continue it, choose another --output-dir, or begin anew with "
                "--restart"
            )

    def commit(self, mark: Progress) -> None:
        """Record that all up to ``mark`` is published; durable when this returns.

        Raises :class:`quest22.errors.SinkError`.
        """
        record = {
            "quest22_journal": FORMAT,
            "plan": self.plan,
            "asked": self.asked,
            "mark": asdict(mark),
            "outdated": self._outdated,
        }
        path = self.folder / JOURNAL
        with writing(path):
            content = json.dumps(record, ensure_ascii=False, indent=1).encode()
            replace_file(path, content, durable=True)
        self.mark = mark

    def replace_outputs(self, mark: Progress, outdated: Iterable[str]) -> None:
        """Put what lies in the merge folder in the outputs' place, all of it or nothing.

        ``outdated`` names outputs that go. Once ``mark`` is recorded, a process that dies is
        followed by one that finishes the work: see :meth:`settle`.
        """
        self._outdated = list(outdated)
        self.clear(REPLAY)  # results may have got other numbers
        self.commit(mark)
        self.settle()

    def settle(self) -> None:
        """Finish a replacement of outputs that a process has left half done."""
        if self._outdated is None:
            return
        merge = self.folder / RUN_FOLDER / MERGE
        with writing(self.folder):
            for path in [path for path in merge.rglob("*") if path.is_file()]:
                target = self.folder / path.relative_to(merge)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
                sync_folder(target.parent)
            for name in self._outdated:
                (self.folder / name).unlink(missing_ok=True)
            sync_folder(self.folder)
        self.clear(MERGE, RETRY)
        self._outdated = None
        self.commit(self.mark)

    def clear(self, *names: str) -> None:
        """Remove files and folders of the run's own folder, whichever are there."""
        for path in (self.folder / RUN_FOLDER / name for name in names):
            with writing(path):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)


class JournaledSink:
    """A sink whose progress is recorded every few seconds: first published, then marked.

    ``memory`` keeps what was heard of clips that are not marked yet; the scheduler is to have it.
    After a write that did not come to its end nothing is marked any more: the sinks may differ in
    what they hold, and the next run goes on from the last mark.
    """

    def __init__(
        self, sink: Sink, journal: Journal, clock: Callable[[], float] = time.monotonic
    ) -> None:
        path = journal.folder / RUN_FOLDER / REPLAY
        self.memory = ReplayLog(path, journal.mark.results, clock)
        self._sink = sink
        self._journal = journal
        self._clock = clock
        self._mark = journal.mark
        self._committed_at = clock()
        self._whole = True

    @property
    def mark(self) -> Progress:
        """How far the run has come, published or not."""
        return self._mark

    def write(self, result: Transcript | Failure) -> None:
        self._whole = False
        self._sink.write(result)
        self._mark = self._mark.after(result)
        self._whole = True
        if self._clock() - self._committed_at >= COMMIT_SECONDS:
            self.publish()

    def publish(self) -> SinkState:
        self.memory.sync()  # first: results that are marked must not lack what was heard with them
        states = self._sink.publish()
        self._mark = replace(self._mark, sinks=states)
        self._journal.commit(self._mark)
        self.memory.forget(self._mark.results)
        self._committed_at = self._clock()
        return states

    def close(self) -> None:
        """The run stops here, perhaps before its end: what was written can be continued."""
        if self._whole and not self._mark.finished:
            self.publish()
        self.memory.close()

    def complete(self) -> None:
        """The source has ended: finish the outputs, then say so in the journal."""
        self._whole = False
        self._sink.close()
        self._mark = replace(self._mark, sinks=self._sink.publish(), finished=True)
        self._journal.commit(self._mark)
        self.memory.close()
        self._journal.clear(REPLAY)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder's runs, so that no second process writes there at the same time.

    Raises :class:`UsageError` where another process holds it, and
    :class:`quest22.errors.SinkError` where the folder cannot be made. The hold ends with the
    process, however that ends.
    """
    path = folder / LOCK
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file: BinaryIO = path.open("ab")
    with file:
        if not try_lock(file):
            raise UsageError(
                f"another process is writing into {folder}: wait for it, or choose another "
                "--output-dir"
            )
        yield


def is_held(folder: Path) -> bool:
    """True while a process writes into a folder."""
    try:
        with (folder / LOCK).open("rb") as file:
            return not try_lock(file, shared=True)
    except OSError:
        return False


def _mark(kept: Mapping[str, Any]) -> Progress:
    last = kept["last"]
    position = last and Position(last["results"], last["key"], Origin(**last["origin"]))
    return Progress(**{**kept, "last": position})
