"""Runs that are killed, continued and compared with one that was left in peace."""

from __future__ import annotations

import random
import shutil
import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from quest22.settings import RUN_FOLDER
from tests.torture.nursery import ended, forked, killed_after
from tests.torture.rows import write_rows
from tests.torture.worker import DigestJob, Errand, MixingJob, perform

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
    """How often runs were killed, and which of them left anything but the undisturbed outputs."""

    name: str
    kills: int = 0
    runs: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.wrong and self.kills > 0

    def tell(self) -> Outcome:
        """Print the outcome, so that a long torture is followed."""
        print(self.line(), flush=True)
        return self

    def compare(self, what: str, whole: Whole, folder: Path, code: int) -> None:
        self.runs += 1
        differing = differences(whole.files, outputs(folder))
        if code != whole.code:
            differing.append(f"exit code {code}, not {whole.code}")
        if differing:
            self.wrong.append(f"{what}: {'; '.join(differing)}")

    def line(self) -> str:
        verdict = "every run as the undisturbed one" if self.good else f"WRONG: {self.wrong}"
        return f"{self.name}: {self.kills} kills, {self.runs} runs: {verdict}"


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
    folder: Path, rows: int, name: str = "whole", load: type[DigestJob] = MixingJob
) -> Whole:
    """Run once in peace, on the rows in ``folder / "data"``."""
    errand = Errand(folder / "data", folder / name, load=load)
    begun = time.monotonic()
    code = ended(forked(lambda: perform(errand)))
    return Whole(outputs(errand.folder), code, time.monotonic() - begun, rows)


def planned_kills(folder: Path, whole: Whole, every: int = 1) -> Outcome:
    """Kill a run before each step that changes the disk, and let the next one finish it."""
    outcome = Outcome("planned kills")
    errand = Errand(folder / "data", folder / "planned", commit_s=0.05)
    return _at_every_step(outcome, errand, whole, every)


def retried_kills(folder: Path, whole: Whole, every: int = 1) -> Outcome:
    """The same for a retry of a run whose bad rows are good by now.

    Rows that are run again meet in batches of their own: here results are a window's alone.
    """
    outcome = Outcome("kills of a retry")
    before = folder / "before"
    ended(forked(lambda: perform(Errand(folder / "data", before, load=DigestJob))))
    write_rows(folder / "data", whole.rows, healed=True)
    healed = undisturbed(folder, whole.rows, "healed", DigestJob)
    errand = Errand(folder / "data", folder / "retried", commit_s=0.05, retry=True)
    errand = replace(errand, load=DigestJob)
    return _at_every_step(outcome, errand, healed, every, before)


def _at_every_step(
    outcome: Outcome, meant: Errand, whole: Whole, every: int, before: Path | None = None
) -> Outcome:
    step = 0
    while True:
        errand = replace(meant, die_at=step)
        if before is not None:
            shutil.copytree(before, errand.folder)
        if ended(forked(lambda errand=errand: perform(errand))) != -signal.SIGKILL:  # type: ignore[misc]
            outcome.compare("left in peace", whole, errand.folder, whole.code)
            shutil.rmtree(errand.folder)
            return outcome.tell()
        outcome.kills += 1
        code = ended(forked(lambda errand=errand: perform(replace(errand, die_at=None))))  # type: ignore[misc]
        outcome.compare(f"killed before step {step}", whole, errand.folder, code)
        shutil.rmtree(errand.folder)
        step += every


def random_kills(folder: Path, whole: Whole, kills: int, seed: int = 0) -> Outcome:
    """Kill runs at random moments, each again and again until it gets through."""
    chance = random.Random(seed)
    outcome = Outcome("random kills")
    while outcome.kills < kills:
        errand = Errand(folder / "data", folder / "random")
        longest = whole.seconds * chance.choice((0.6, 1.0))
        for _ in range(MOST_LIVES):
            child = forked(lambda errand=errand: perform(errand))  # type: ignore[misc]
            patient = outcome.kills >= kills
            code = ended(child) if patient else killed_after(child, chance.uniform(0, longest))
            if code != -signal.SIGKILL:
                break
            outcome.kills += 1
        outcome.compare(f"after {outcome.kills} kills", whole, errand.folder, code)
        shutil.rmtree(errand.folder)
    return outcome.tell()
