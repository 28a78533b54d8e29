"""Runs that are killed, continued and compared with one that was left in peace."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from quest22.cli.exits import Exit
from quest22.settings import RUN_FOLDER
from tests.torture.nursery import ended, forked, killed_after
from tests.torture.rows import write_rows
from tests.torture.weather import CALM, CHANCE, Weather
from tests.torture.worker import DigestPipeline, MixingPipeline, RunSpec, perform

MOST_LIVES = 2000


@dataclass(frozen=True)
class Whole:
    """What an undisturbed run writes, by name, its exit code, and how long it took."""

    files: dict[str, bytes]
    code: int
    seconds: float
    rows: int


@dataclass
class Outcome:
    """How often runs were killed, and which of them left anything but the undisturbed outputs.

    ``gave_up`` counts lives that ended by themselves because a server refused, and ``troubles``
    what the server did.
    """

    name: str
    kills: int = 0
    runs: int = 0
    gave_up: int = 0
    troubles: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.wrong and self.kills > 0

    def tell(self) -> Outcome:
        """Print the outcome, so that a long torture is followed."""
        print(self.row(), flush=True)
        return self

    def compare(self, what: str, whole: Whole, folder: Path, code: int) -> None:
        self.runs += 1
        differing = differences(whole.files, outputs(folder))
        if code != whole.code:
            differing.append(f"exit code {code}, not {whole.code}")
        if differing:
            self.wrong.append(f"{what}: {'; '.join(differing)}")

    def row(self) -> str:
        """A line of the table below :data:`HEADING`, and one for each run that differs."""
        verdict = "same bytes" if self.good else f"{len(self.wrong)} DIFFER"
        faults = sum(self.troubles.values())
        figures = (self.kills, faults, self.gave_up, self.runs)
        row = f"{self.name:34}{''.join(f'{figure:9,}' for figure in figures)}  {verdict}"
        return "\n".join([row, *(f"    {each}" for each in self.wrong)])


HEADING = (
    f"{'torture':34}{'kills':>9}{'faults':>9}{'gave up':>9}{'runs':>9}  against the undisturbed"
)


def outputs(folder: Path) -> dict[str, bytes]:
    """Every file in a folder but the run's own."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name: path.read_bytes()
        for name, path in named.items()
        if not name.startswith(f"{RUN_FOLDER}/")
    }


def differences(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    missing = [f"{name} is missing" for name in expected.keys() - found.keys()]
    extra = [f"{name} is too much" for name in found.keys() - expected.keys()]
    other = [f"{name} differs" for name in expected.keys() & found.keys()
             if expected[name] != found[name]]  # fmt: skip
    return sorted(missing + extra + other)


def undisturbed(
    folder: Path, rows: int, name: str = "whole", load: type[DigestPipeline] = MixingPipeline
) -> Whole:
    """Run once in peace, on the rows in ``folder / "data"``."""
    spec = RunSpec(folder / "data", folder / name, load=load)
    begun = time.monotonic()
    code = ended(forked(lambda: perform(spec)))
    return Whole(outputs(spec.folder), code, time.monotonic() - begun, rows)


def planned_kills(folder: Path, whole: Whole, every: int = 1) -> Outcome:
    """Kill a run before each step that changes the disk, and let the next one finish it."""
    outcome = Outcome("kills before each change")
    spec = RunSpec(folder / "data", folder / "planned", commit_s=0.05)
    return _at_every_step(outcome, spec, whole, every)


def retried_kills(folder: Path, whole: Whole, every: int = 1) -> Outcome:
    """The same for a retry of a run whose bad rows are good by now.

    Rows that are run again meet in batches of their own: here results are a window's alone.
    """
    outcome = Outcome("kills of a retry")
    before = folder / "before"
    ended(forked(lambda: perform(RunSpec(folder / "data", before, load=DigestPipeline))))
    write_rows(folder / "data", whole.rows, healed=True)
    healed = undisturbed(folder, whole.rows, "healed", DigestPipeline)
    spec = RunSpec(folder / "data", folder / "retried", commit_s=0.05, retry=True)
    spec = replace(spec, load=DigestPipeline)
    return _at_every_step(outcome, spec, healed, every, before)


def _at_every_step(
    outcome: Outcome, meant: RunSpec, whole: Whole, every: int, before: Path | None = None
) -> Outcome:
    step = 0
    while True:
        spec = replace(meant, die_at=step)
        if before is not None:
            shutil.copytree(before, spec.folder)
        if ended(forked(lambda spec=spec: perform(spec))) != -signal.SIGKILL:  # type: ignore[misc]
            outcome.compare("left in peace", whole, spec.folder, whole.code)
            shutil.rmtree(spec.folder)
            return outcome.tell()
        outcome.kills += 1
        code = ended(forked(lambda spec=spec: perform(replace(spec, die_at=None))))  # type: ignore[misc]
        outcome.compare(f"killed before step {step}", whole, spec.folder, code)
        shutil.rmtree(spec.folder)
        step += every


def random_kills(folder: Path, whole: Whole, kills: int, seed: int = 0) -> Outcome:
    """Kill runs at random moments, each again and again until it gets through."""
    outcome = Outcome("kills at random moments")
    spec = RunSpec(folder / "data", folder / "random")
    return _until_dead(outcome, spec, whole, kills, random.Random(seed)).tell()


def stormy_kills(folder: Path, kills: int, seed: int = 0) -> Outcome:
    """The same while the server that is read from fails at random; undisturbed: in fair weather."""
    outcome = Outcome("the same, and network faults")
    with Weather(folder / "data", seed, chance=0.0) as weather:
        spec = RunSpec(folder / "data", folder / "fair", urls=weather.urls())
        begun = time.monotonic()
        code = ended(forked(lambda: perform(spec)))
        whole = Whole(outputs(spec.folder), code, time.monotonic() - begun, 0)
        weather.calm(CHANCE)
        spec = replace(spec, folder=folder / "storm")
        outcome = _until_dead(outcome, spec, whole, kills, random.Random(seed))
        outcome.troubles = weather.told() - Counter({CALM: sys.maxsize})
    return outcome.tell()


def odd_kills(folder: Path, kills: int, seed: int = 0) -> Outcome:
    """The same where some answers are none that a server should give.

    A file that is not read to its end is read on by a later life, in batches of its own: results
    are a window's alone.
    """
    outcome = Outcome("the same, and odd answers")
    with Weather(folder / "data", seed, chance=0.0) as weather:
        spec = RunSpec(folder / "data", folder / "even", urls=weather.urls(), load=DigestPipeline)
        begun = time.monotonic()
        code = ended(forked(lambda: perform(spec)))
        whole = Whole(outputs(spec.folder), code, time.monotonic() - begun, 0)
        weather.turn_odd()
        weather.calm(CHANCE)
        spec = replace(spec, folder=folder / "odd")
        outcome = _until_dead(outcome, spec, whole, kills, random.Random(seed))
        outcome.troubles = weather.told() - Counter({CALM: sys.maxsize})
    return outcome.tell()


def _until_dead(
    outcome: Outcome, spec: RunSpec, whole: Whole, kills: int, chance: random.Random
) -> Outcome:
    while outcome.kills < kills:
        longest = whole.seconds * chance.choice((0.6, 1.0))
        for _ in range(MOST_LIVES):
            child = forked(lambda: perform(spec))
            patient = outcome.kills >= kills
            code = ended(child) if patient else killed_after(child, chance.uniform(0, longest))
            if code == -signal.SIGKILL:
                outcome.kills += 1
            elif code in (Exit.NOTHING_DONE, Exit.INCOMPLETE) and spec.urls:
                outcome.gave_up += 1
            else:
                break
        outcome.compare(f"after {outcome.kills} kills", whole, spec.folder, code)
        shutil.rmtree(spec.folder)
    return outcome
