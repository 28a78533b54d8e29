"""What was measured, kept as files: one for each system, model, and part of a set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.accuracy.recordings import Recording, RecordingSet
from benchmarks.accuracy.systems import System
from quest22.system.atomic_files import write_atomically


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of a set for a model: what is measured at once, and measured or not."""

    model: str
    set_name: str
    part: str
    recordings: tuple[Recording, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The texts of a unit's recordings by name, and what they took; or the reason for none.

    ``processor_s`` is the time of all threads, ``peak_bytes`` the most memory of the process until
    then; loading is not counted in the times. ``about`` says version and precision.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    processor_s: float = 0.0
    wall_s: float = 0.0
    peak_bytes: int = 0
    about: str = ""
    threads: int = 0
    error: str = ""


def units(sets: Sequence[RecordingSet], model: str, parts: Sequence[str]) -> list[Unit]:
    """The parts of all sets that have recordings in the model's languages, set by set."""
    language = "en" if model.endswith(".en") else None
    found = (
        Unit(model, each.name, part, each.of(part, language))
        for each in sets
        for part in each.parts
        if part in parts
    )
    return [unit for unit in found if unit.recordings]


@dataclass(frozen=True, slots=True)
class OutcomeFolder:
    """Outcomes of runs with a number of threads, in a folder."""

    folder: Path
    threads: int

    def path(self, system: System, unit: Unit) -> Path:
        model = Path(unit.model).name
        return self.folder / model / unit.set_name / f"{unit.part}-{system.name}.json"

    def write(self, system: System, unit: Unit, outcome: Outcome) -> None:
        path = self.path(system, unit)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps(asdict(outcome), ensure_ascii=False, indent=1)
        write_atomically(path, content.encode())

    def read(self, system: System, unit: Unit) -> Outcome | None:
        """What is there; None if nothing is, or for other recordings or threads."""
        path = self.path(system, unit)
        if not path.is_file():
            return None
        outcome = Outcome(**json.loads(path.read_text(encoding="utf-8")))
        same = outcome.texts.keys() == {each.name for each in unit.recordings}
        return outcome if outcome.error or (same and outcome.threads == self.threads) else None

    def measured(self, system: System, unit: Unit) -> Outcome | None:
        """What is there, unless it is an error."""
        outcome = self.read(system, unit)
        return None if outcome is None or outcome.error else outcome
