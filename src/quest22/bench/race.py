"""Contenders side by side: each at its best choice, then in turn, round after round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from quest22.bench.contender import Contender, ContenderError, Lap
from quest22.bench.peers import Choice, Peer
from quest22.bench.workload import Workload

Tell = Callable[[str], None]


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
    best = _fastest(peer, workload, choices, tell) if len(choices) > 1 else choices[0]
    contender = Contender(peer, workload.with_choice(*best))
    try:
        contender.wait()
        warm = contender.run()
    except ContenderError:
        contender.kill()
        raise
    tell(f"{peer.name}: {contender.about}, {warm.seconds:.2f} s to warm up")
    return contender


def _fastest(peer: Peer, workload: Workload, choices: Sequence[Choice], tell: Tell) -> Choice:
    """The choice with the fastest second run over some of the work."""
    times: dict[Choice, float] = {}
    failure = ContenderError(f"{peer.name}: nothing to try")
    for choice in choices:
        contender = Contender(peer, workload.taste().with_choice(*choice))
        try:
            contender.wait()
            contender.run()
            times[choice] = contender.run().seconds
            tell(f"{peer.name}: tried {contender.about}, {times[choice]:.2f} s")
        except ContenderError as error:
            failure = error
        finally:
            contender.kill()
    if not times:
        raise failure
    return min(times, key=times.__getitem__)


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
