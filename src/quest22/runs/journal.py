"""The journal of a run on disk, from which the same command resumes after a crash.

The journal is one small file in the output folder. It holds the plan (everything that decides the
results), the progress (how many results are published, and what each sink needs to resume from
there) and the request. Results are published first and recorded afterwards; the file is replaced
atomically; what a sink wrote beyond the recorded progress is cut off when the run resumes.

Every result is therefore written exactly once, whenever the process dies. Knows no stages: the
states of the sinks are opaque.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from quest22.audio.decoding_notes import DecodingNotes
from quest22.errors import UsageError
from quest22.protocols import Sink, SinkState
from quest22.records import Failure, Origin, Position, Transcript
from quest22.runs.plan import (
    OUTPUT_GROUPS,
    Plan,
    Request,
    grouped_plan,
    plan_differences,
    with_places,
    working_folder,
)
from quest22.runs.replay import REPLAY, ReplayLog
from quest22.runs.sealed import Seal
from quest22.settings import RUN_FOLDER
from quest22.sink.files import writing
from quest22.source.io.address import redact, redact_text
from quest22.system.atomic_files import sync_folder, write_atomically
from quest22.system.private_files import make_private_folder

JOURNAL = f"{RUN_FOLDER}/journal.json"
MERGE = "merge"
RETRY = "retry"
DECODING = "decoding"
FORMAT = 2
FLAT_PLAN_FORMAT = 1
"""The format of journals whose plan has no groups; they are read, and rewritten on commit."""

WORKING_FOLDER = "working_folder"
"""In a request: where the command that began the run was given."""

COMMIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run. ``sinks`` holds each sink's state by its name.

    ``open_ends`` counts data files that could not be read to their end. A run that has any is
    ``finished`` when all else is done; it is ``complete`` when the user has ``accepted`` them.
    """

    transcripts: int = 0
    failures: int = 0
    audio_s: float = 0.0
    last: Position | None = None
    sinks: SinkState = field(default_factory=dict)
    finished: bool = False
    open_ends: int = 0
    accepted: bool = False

    @property
    def results(self) -> int:
        return self.transcripts + self.failures + self.open_ends

    @property
    def complete(self) -> bool:
        return self.finished and (self.accepted or not self.open_ends)

    def after(self, result: Transcript | Failure) -> Progress:
        """The progress after one more result; the states of the sinks are unchanged."""
        open_end = isinstance(result, Failure) and result.open_end
        last = Position(self.results + 1, result.key, result.origin, open_end)
        if open_end:
            return replace(self, open_ends=self.open_ends + 1, last=last)
        if isinstance(result, Failure):
            return replace(self, failures=self.failures + 1, last=last)
        return replace(
            self,
            transcripts=self.transcripts + 1,
            audio_s=self.audio_s + result.duration_s,
            last=last,
        )


class Journal:
    """A run's journal in its output folder, written by one process at a time.

    ``request`` holds the command, and the requested values of settings that ``plan`` holds
    resolved.
    """

    def __init__(
        self, folder: Path, plan: Plan, progress: Progress, request: Request | None = None
    ) -> None:
        self.folder = folder
        self.seal = Seal(folder)
        self.plan = self.seal.plan(plan)
        self.progress = progress
        self.request = dict(request or {})
        self._outdated: list[str] | None = None

    @classmethod
    def begin(cls, folder: Path, plan: Plan, request: Request | None = None) -> Journal:
        """A new journal, which replaces any other. Raises :class:`quest22.errors.SinkError`."""
        journal = cls(folder, plan, Progress(), request)
        with writing(folder):
            make_private_folder((folder / JOURNAL).parent)
            sync_folder(folder)
        journal.remove(
            REPLAY
        )  # first, because another run's hypotheses must never be used in this one
        journal.commit(journal.progress)
        return journal

    @classmethod
    def read(cls, folder: Path) -> Journal | None:
        """The journal of the run in ``folder``, or None.

        Raises :class:`UsageError` for a journal that this version cannot read.
        """
        path = folder / JOURNAL
        try:
            return cls._from_record(folder, json.loads(path.read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise UsageError(f"cannot read {path}: {exc.strerror or exc}") from exc
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            raise UsageError(
                f"{path} cannot be read by this version of quest22 ({exc}): continue with the "
                "version that started the run, or start over with --restart"
            ) from exc

    @classmethod
    def _from_record(cls, folder: Path, record: Mapping[str, Any]) -> Journal:
        version = record["quest22_journal"]
        if version not in (FORMAT, FLAT_PLAN_FORMAT):
            raise ValueError(f"format {version}")
        plan = record["plan"]
        if version == FLAT_PLAN_FORMAT:
            plan = grouped_plan(plan)
        request = record["asked"]
        if request.get("command"):  # earlier versions kept secrets in it
            request["command"] = redact_text(request["command"])
        journal = cls(folder, plan, _progress(record["mark"]), request)
        journal._outdated = record.get("outdated")
        return journal

    def check(self, plan: Plan) -> None:
        """Refuse to continue with another plan.

        Raises :class:`UsageError` that names every setting that differs.
        """
        self._refuse(self._differences(plan, whole=True))

    def check_known(self, plan: Plan) -> None:
        """Like :meth:`check`, for the part of a plan that is known before anything is loaded."""
        self._refuse(self._differences(plan, whole=False))

    @property
    def working_folder(self) -> Path:
        """The folder that relative paths in the plan are in."""
        return working_folder(self.plan, self.request.get(WORKING_FOLDER), self.folder)

    def _differences(self, plan: Plan, *, whole: bool) -> list[str]:
        """How a plan of this process differs, its addresses sealed and its paths absolute."""
        now = with_places(self.seal.plan(plan), Path.cwd())
        return plan_differences(with_places(self.plan, self.working_folder), now, whole=whole)

    def _refuse(self, differences: list[str]) -> None:
        if not differences:
            return
        told = "; ".join(differences)
        if all(each.startswith(OUTPUT_GROUPS) for each in differences):
            raise UsageError(
                f"{self.folder} contains a run with other outputs ({told}): repeat its command to "
                f"continue it; other formats are written from its transcripts by quest22 export "
                f"{self.folder} -f FORMAT"
            )
        exported = any(each.startswith(OUTPUT_GROUPS) for each in differences)
        export = f" (other formats alone: quest22 export {self.folder} -f FORMAT)"
        raise UsageError(
            f"{self.folder} contains a run with other settings ({told}), with which its texts "
            f"were made: repeat its command to continue it{export if exported else ''}, choose "
            "another --output-dir, or start over with --restart"
        )

    def commit(self, progress: Progress) -> None:
        """Record that everything up to ``progress`` is published; durable when this returns.

        Raises :class:`quest22.errors.SinkError`.
        """
        record = {
            "quest22_journal": FORMAT,
            "plan": self.plan,
            "asked": self.request,
            "mark": asdict(progress),
            "outdated": self._outdated,
        }
        path = self.folder / JOURNAL
        with writing(path):
            content = json.dumps(record, ensure_ascii=False, indent=1).encode()
            write_atomically(path, content, durable=True, private=True)
        self.progress = progress

    def replace_outputs(self, progress: Progress, outdated: Iterable[str]) -> None:
        """Replace the outputs by the contents of the merge folder, all or nothing.

        ``outdated`` names outputs to remove. If the process dies after ``progress`` is recorded,
        the next one completes the replacement: see :meth:`finish_replacement`.
        """
        self._outdated = list(outdated)
        self.remove(REPLAY)  # the numbers of results may have changed
        self.commit(progress)
        self.finish_replacement()

    def finish_replacement(self) -> None:
        """Finish a replacement of outputs that was interrupted."""
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
        self.remove(MERGE, RETRY)
        self._outdated = None
        self.commit(self.progress)

    def remove(self, *names: str) -> None:
        """Remove these files and folders from the run's folder, if they exist."""
        for path in (self.folder / RUN_FOLDER / name for name in names):
            with writing(path):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)


class JournaledSink:
    """A sink whose progress is recorded every few seconds: first published, then recorded.

    ``replay`` stores the hypotheses of clips that are not published yet; the driver needs it too.
    ``notes`` are of the clips that are being decoded, for the decoder.
    After a failed write nothing more is recorded, because the sinks may be inconsistent; the next
    run resumes from the last recorded progress.
    """

    def __init__(
        self, sink: Sink, journal: Journal, clock: Callable[[], float] = time.monotonic
    ) -> None:
        path = journal.folder / RUN_FOLDER / REPLAY
        self.replay = ReplayLog(path, journal.progress.results, clock)
        self.notes = DecodingNotes(journal.folder / RUN_FOLDER / DECODING)
        self._sink = sink
        self._journal = journal
        self._clock = clock
        self._progress = journal.progress
        self._committed_at = clock()
        self._consistent = True

    @property
    def progress(self) -> Progress:
        """The progress of the run, published or not."""
        return self._progress

    def write(self, result: Transcript | Failure) -> None:
        self._consistent = False
        self._sink.write(result)
        self._progress = self._progress.after(result)
        self._consistent = True
        if self._clock() - self._committed_at >= COMMIT_SECONDS:
            self.publish()

    def publish(self) -> SinkState:
        self.replay.sync()  # first: recorded results must not lack their batches
        states = self._sink.publish()
        self._progress = replace(self._progress, sinks=states)
        self._journal.commit(self._progress)
        self.replay.forget(self._progress.results)
        self._committed_at = self._clock()
        return states

    def close(self) -> None:
        """Stop, perhaps before the end; the run can be resumed."""
        if self._consistent and not self._progress.finished:
            self.publish()
        self.replay.close()
        self.notes.close()

    def complete(self) -> None:
        """The source has ended: finish the outputs, then record that in the journal."""
        self._consistent = False
        self._sink.close()
        self._progress = replace(self._progress, sinks=self._sink.publish(), finished=True)
        self._journal.commit(self._progress)
        self.replay.close()
        self.notes.close()
        self._journal.remove(REPLAY, DECODING)


def _progress(record: Mapping[str, Any]) -> Progress:
    last = record["last"]
    position = last and Position(**{**last, "origin": _shown(Origin(**last["origin"]))})
    return Progress(**{**record, "last": position})


def _shown(origin: Origin) -> Origin:
    """An origin as it is shown today: earlier versions kept some of an address' query."""
    return replace(origin, dataset=redact(origin.dataset), file=origin.file and redact(origin.file))
