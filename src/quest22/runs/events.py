"""The events of a run: plain values, passed to a callback in the run's own thread.

A run calls ``on_event`` for each event as it happens, in this order::

    [OutputsEdited]  ModelLoading  ModelLoaded  [LeftOutDone] [ShardsTakenOver | Resuming]
    ResultsStarted  ClipProgress | ResultReady …  ResultsEnded  WritingEnded
    Resumable | [Published] RunFinished | RetryFinished

(``ClipProgress`` comes from runs over files only, see :mod:`quest22.runtime.progress`), or only
``AlreadyFinished`` or ``NothingToRetry``. A run on a cluster has other ones::

    [ModelLoading  ModelLoaded]  PlanReady  ClusterProgress | ClusterNote …  ClusterEnded

An exception from the callback ends the run as
any other does: the run can be continued.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from quest22.metrics import Metrics
from quest22.records import Failure, Transcript
from quest22.runs.summary import RunStats
from quest22.runtime.progress import ClipProgress


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """A model is about to be loaded, which may take long.

    ``reason`` says why, where one is loaded already: a run goes on as it was begun.
    """

    model: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ModelLoaded:
    """The model is ready. ``origin`` is what a short name stood for: a Hub id, or a cache.

    ``devices`` are named if there are several.
    """

    checkpoint_name: str
    compute_type: str
    origin: str = ""
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShardsTakenOver:
    """The run continues with the rows that runs with other numbers of shards left."""

    folder: Path
    num_shards: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Resuming:
    """The run continues after ``results`` results."""

    folder: Path
    results: int


@dataclass(frozen=True, slots=True)
class OutputsEdited:
    """Outputs are not as the run left them; ``findings`` say what was found and done, a line each.

    Comes first, before anything is loaded.
    """

    folder: Path
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOutDone:
    """So many files are not transcribed, because an earlier run into the folder has done that.

    ``remaining`` are left.
    ``edited`` are captions of theirs that somebody has changed, and that are kept.
    """

    folder: Path
    files: int
    remaining: int
    edited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultsStarted:
    """Results are about to arrive: ``total`` of them, if known.

    ``metrics`` are updated during the run; they may be read from any thread.
    """

    metrics: Metrics
    total: int | None


@dataclass(frozen=True, slots=True)
class ResultReady:
    """A result is about to be written."""

    result: Transcript | Failure


@dataclass(frozen=True, slots=True)
class ResultsEnded:
    """There are no more results, for whatever reason; outputs are about to be closed."""


@dataclass(frozen=True, slots=True)
class WritingEnded:
    """Outputs are closed. ``error`` is what ended the run early, a KeyboardInterrupt included."""

    stats: RunStats
    metrics: Metrics
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class Resumable:
    """The run ended early, by an error or an interruption; ``results`` are recorded.

    A run with the same settings into the same folder continues after them.
    """

    folder: Path
    results: int


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run has ended; the counts are those of the whole run.

    With ``open_ends`` it is not complete: so many data files could not be read to their end.
    """

    folder: Path
    transcripts: int
    failures: int
    audio_s: float
    resumed: bool
    open_ends: int = 0


@dataclass(frozen=True, slots=True)
class AlreadyFinished:
    """There was nothing to do: an earlier call finished the run, without ``open_ends`` if any."""

    folder: Path
    transcripts: int
    failures: int
    audio_s: float
    open_ends: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """The transcripts are on the Hub; ``retries`` requests were retried."""

    url: str
    retries: int


@dataclass(frozen=True, slots=True)
class RetryFinished:
    """Failed clips were run again: ``transcripts`` are transcribed now, ``failures`` still fail.

    ``open_ends``: so many data files still cannot be read to their end, which may be ``accepted``.
    """

    folder: Path
    transcripts: int
    failures: int
    open_ends: int = 0
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class NothingToRetry:
    """The run has no failures."""

    folder: Path
    transcripts: int


@dataclass(frozen=True, slots=True)
class PlanReady:
    """A plan of ``units`` in ``files`` data files is in its store; made just now if ``is_new``."""

    store: str
    units: int
    files: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class ClusterProgress:
    """How far all workers of a cluster are, those that others have started included.

    ``units`` in all, of which ``published`` and ``failed`` have ended; ``transcripts`` and
    ``failures`` are rows, ``audio_s`` seconds of sound in published units. ``speed`` is how many
    seconds of sound this run's workers transcribe in a second. ``workers`` work, ``opening`` load
    the model, ``waiting`` wait for room in the cluster. ``left_s`` is an estimate.
    """

    units: int
    published: int
    failed: int
    transcripts: int
    failures: int
    audio_s: float
    elapsed_s: float
    speed: float
    workers: int
    opening: int
    waiting: int
    left_s: float | None


@dataclass(frozen=True, slots=True)
class ClusterNote:
    """Something that people should know: a warning of a worker, or that one was lost."""

    text: str


@dataclass(frozen=True, slots=True)
class ClusterPublished:
    """A commit to the dataset on the Hub: what it has now, of the ``planned`` units.

    ``transcripts`` and ``failures`` are rows of its ``units``.
    """

    url: str
    planned: int
    units: int
    transcripts: int
    failures: int
    finished: bool


@dataclass(frozen=True, slots=True)
class ClusterEnded:
    """The workers have ended; ``last`` is the final state. ``interrupted``: units are left."""

    store: str
    last: ClusterProgress
    interrupted: bool


RunEvent: TypeAlias = (
    ModelLoading
    | ModelLoaded
    | ShardsTakenOver
    | Resuming
    | LeftOutDone
    | OutputsEdited
    | ResultsStarted
    | ClipProgress
    | ResultReady
    | ResultsEnded
    | WritingEnded
    | Resumable
    | RunFinished
    | AlreadyFinished
    | Published
    | RetryFinished
    | NothingToRetry
    | PlanReady
    | ClusterProgress
    | ClusterNote
    | ClusterPublished
    | ClusterEnded
)

OnEvent: TypeAlias = Callable[[RunEvent], None]


def ignore_event(event: RunEvent) -> None:
    """A callback that ignores all events."""
