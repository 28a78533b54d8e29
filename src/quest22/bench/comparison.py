"""Compares programs: tunes each to its fastest configuration, then runs them in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Annotated

from quest22.bench.peers import Configuration, Peer
from quest22.bench.worker_process import TimedRun, WorkerError, WorkerProcess
from quest22.bench.workload import Workload

Log = Callable[[str], None]

TUNING_CUTOFF = 1.3
"""Tuning drops a configuration whose first run takes this many times the best second run so far."""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """A program's medians over all rounds."""

    name: str
    about: Annotated[str, "Version and configuration."]
    seconds: Annotated[float, "For all of the sound."]
    slowest_s: float
    fastest_s: float
    cpu_s: Annotated[float, "The processor's time of all threads, awake or at work."]
    tokens_a_window: float
    windows: int
    audio_s: Annotated[float, "Seconds of sound."]
    peak_bytes: Annotated[int, "Memory of the whole process; 0 if the system does not report it."]
    parts: Annotated[dict[str, float], "Seconds of each stage; empty for other programs."]

    @property
    def times_real_time(self) -> float:
        """Seconds of audio per second."""
        return self.audio_s / self.seconds


def compare(
    entries: Sequence[tuple[Peer, Workload]], rounds: int, log: Log
) -> tuple[list[ProgramResult], list[str]]:
    """Results in the order of the entries, and an error line for each program that failed."""
    errors: list[str] = []
    workers: list[WorkerProcess] = []
    try:
        for peer, workload in entries:
            log(f"{peer.name}: loading")
            try:
                workers.append(_tuned(peer, workload, log))
            except WorkerError as error:
                errors.append(str(error))
        runs = _run_in_turn(workers, rounds, log)
        return [_result(*each) for each in zip(workers, runs, strict=True)], errors
    finally:
        for worker in workers:
            worker.kill()


def _run_in_turn(workers: Sequence[WorkerProcess], rounds: int, log: Log) -> list[list[TimedRun]]:
    """A, B, C, A, B, C, …: so that changes in the machine's speed affect all alike."""
    runs: list[list[TimedRun]] = [[] for _ in workers]
    for number in range(1, rounds + 1):
        for worker, own_runs in zip(workers, runs, strict=True):
            own_runs.append(worker.run())
            seconds = own_runs[-1].seconds
            log(f"{worker.peer.name}: round {number} of {rounds}, {seconds:.2f} s")
    return runs


def _tuned(peer: Peer, workload: Workload, log: Log) -> WorkerProcess:
    """A warmed-up worker with the fastest configuration.

    Raises :class:`WorkerError` if no configuration works.
    """
    configurations = _configurations(peer, workload)
    if len(configurations) > 1:
        sample = workload.tuning_sample()
        fastest = _fastest(peer, sample, configurations, log)
        if sample == workload:
            return fastest
        fastest.kill()
        configurations = [(fastest.workload.compute_type, fastest.workload.batch_size)]
    worker, warm_s = _warmed_up(peer, workload.with_configuration(*configurations[0]))
    log(f"{peer.name}: {worker.about}, {warm_s:.2f} s to warm up")
    return worker


def _fastest(
    peer: Peer, workload: Workload, configurations: Sequence[Configuration], log: Log
) -> WorkerProcess:
    """The worker whose second run was the fastest, still running."""
    best: tuple[float, WorkerProcess] | None = None
    failure = WorkerError(f"{peer.name} has no configuration to try")
    for configuration in configurations:
        try:
            worker, seconds = _warmed_up(peer, workload.with_configuration(*configuration))
            if best is None or seconds < TUNING_CUTOFF * best[0]:
                seconds = worker.run().seconds
        except WorkerError as error:
            failure = error
            continue
        log(f"{peer.name}: tried {worker.about}, {seconds:.2f} s")
        if best is None:
            best = (seconds, worker)
            continue
        slower = worker
        if seconds < best[0]:
            slower, best = best[1], (seconds, worker)
        slower.kill()
    if best is None:
        raise failure
    return best[1]


def _warmed_up(peer: Peer, workload: Workload) -> tuple[WorkerProcess, float]:
    """A worker that has loaded and run once, and how long that run took."""
    worker = WorkerProcess(peer, workload)
    try:
        worker.wait()
        return worker, worker.run().seconds
    except WorkerError:
        worker.kill()
        raise


def _configurations(peer: Peer, workload: Workload) -> list[Configuration]:
    """What to try; quest22 runs as the user configured it, and a single clip needs no batches."""
    if peer.configurations == (("auto", None),):
        return [(workload.compute_type, workload.batch_size)]
    if workload.kind == "batch":
        return list(peer.configurations)
    compute_types = dict.fromkeys(compute_type for compute_type, _ in peer.configurations)
    return [(compute_type, None) for compute_type in compute_types]


def _result(worker: WorkerProcess, runs: Sequence[TimedRun]) -> ProgramResult:
    seconds = [run.seconds for run in runs]
    middle = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
    return ProgramResult(
        name=worker.peer.name,
        about=worker.about,
        seconds=median(seconds),
        slowest_s=max(seconds),
        fastest_s=min(seconds),
        cpu_s=median(run.cpu_s for run in runs),
        tokens_a_window=middle.tokens / max(middle.windows, 1),
        windows=middle.windows,
        audio_s=worker.workload.audio_s,
        peak_bytes=worker.end(),
        parts=dict(middle.parts),
    )
