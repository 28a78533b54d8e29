"""Contenders side by side: each at its best choice, then in turn, round after round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from quest22.bench.peers import Choice, Peer
from quest22.bench.worker_process import Contender, ContenderError, Lap
from quest22.bench.workload import Workload

Tell = Callable[[str], None]

HOPELESS = 1.3
"""A choice whose first run takes so many times the best second run so far has no second one."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a contender did: medians over its rounds; ``peak_bytes`` is its whole process."""

    name: str
    about: str
    seconds: float
    slowest_s: float
    fastest_s: float
    tokens_a_window: float
    windows: int
    audio_s: float
    peak_bytes: int
    parts: dict[str, float]

    @property
    def times_real_time(self) -> float:
        """Seconds of sound a second."""
        return self.audio_s / self.seconds


def race(
    entries: Sequence[tuple[Peer, Workload]], rounds: int, tell: Tell
) -> tuple[list[Result], list[str]]:
    """Results in the order of the entries, and a line for each contender that gave up."""
    complaints: list[str] = []
    running: list[Contender] = []
    try:
        for peer, workload in entries:
            tell(f"{peer.name}: loading")
            try:
                running.append(_at_its_best(peer, workload, tell))
            except ContenderError as error:
                complaints.append(str(error))
        laps = _in_turn(running, rounds, tell)
        return [_result(each, found) for each, found in zip(running, laps, strict=True)], complaints
    finally:
        for contender in running:
            contender.kill()


def _in_turn(running: Sequence[Contender], rounds: int, tell: Tell) -> list[list[Lap]]:
    """A, B, C, A, B, C, …: what changes in the machine meanwhile, all feel alike."""
    laps: list[list[Lap]] = [[] for _ in running]
    for turn in range(rounds):
        for contender, found in zip(running, laps, strict=True):
            found.append(contender.run())
            tell(f"{contender.peer.name}: round {turn + 1} of {rounds}, {found[-1].seconds:.2f} s")
    return laps


def _at_its_best(peer: Peer, workload: Workload, tell: Tell) -> Contender:
    """The contender with the fastest of its choices, warmed up.

    Raises :class:`ContenderError` where no choice works.
    """
    choices = _choices(peer, workload)
    if len(choices) > 1:
        tasted = _fastest(peer, workload.taste(), choices, tell)
        if workload.taste() == workload:
            return tasted
        tasted.kill()
        choices = [(tasted.workload.compute_type, tasted.workload.batch_size)]
    contender, warm_s = _warm(peer, workload.with_choice(*choices[0]))
    tell(f"{peer.name}: {contender.about}, {warm_s:.2f} s to warm up")
    return contender


def _fastest(peer: Peer, workload: Workload, choices: Sequence[Choice], tell: Tell) -> Contender:
    """The contender, still running, whose second run was the fastest."""
    found: list[tuple[float, Contender]] = []
    failure = ContenderError(f"{peer.name}: nothing to try")
    for choice in choices:
        try:
            contender, seconds = _warm(peer, workload.with_choice(*choice))
            if not found or seconds < HOPELESS * found[0][0]:
                seconds = contender.run().seconds
        except ContenderError as error:
            failure = error
            continue
        tell(f"{peer.name}: tried {contender.about}, {seconds:.2f} s")
        found = sorted([*found, (seconds, contender)], key=lambda each: each[0])
        for _, slower in found[1:]:
            slower.kill()
        del found[1:]
    if not found:
        raise failure
    return found[0][1]


def _warm(peer: Peer, workload: Workload) -> tuple[Contender, float]:
    """A contender that has loaded and run once, and how long that run took."""
    contender = Contender(peer, workload)
    try:
        contender.wait()
        return contender, contender.run().seconds
    except ContenderError:
        contender.kill()
        raise


def _choices(peer: Peer, workload: Workload) -> list[Choice]:
    """What to try: ours is what the user asked for, and batches are nothing to a single clip."""
    if peer.choices == (("auto", None),):
        return [(workload.compute_type, workload.batch_size)]
    if workload.manner == "batch":
        return list(peer.choices)
    return [(compute_type, None) for compute_type in dict.fromkeys(c for c, _ in peer.choices)]


def _result(contender: Contender, laps: Sequence[Lap]) -> Result:
    seconds = [lap.seconds for lap in laps]
    middle = sorted(laps, key=lambda lap: lap.seconds)[len(laps) // 2]
    return Result(
        name=contender.peer.name,
        about=contender.about,
        seconds=median(seconds),
        slowest_s=max(seconds),
        fastest_s=min(seconds),
        tokens_a_window=middle.tokens / max(middle.windows, 1),
        windows=middle.windows,
        audio_s=contender.workload.audio_s,
        peak_bytes=contender.end(),
        parts=dict(middle.parts),
    )
