"""What ``quest22 bench --json`` and ``quest22 bench live --json`` write."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typing_extensions import TypedDict

from quest22.bench.live.measure import LiveMeasurement
from quest22.bench.measures import BenchOutcome
from quest22.cli.schema_ids import SchemaId
from quest22.native.library import instruction_set
from quest22.system.machine import MachineFields, describe


class MeasuredMachine(MachineFields):
    """The machine that was measured, and what runs on it."""

    native: Annotated[str | None, "The native library that is loaded; null for none."]


class BenchReport(TypedDict):
    """Speed, memory and where the time goes, of quest22 and of other programs."""

    schema: SchemaId
    machine: MeasuredMachine
    outcomes: Annotated[list[BenchOutcome], "One for each model and measure."]


class LiveBenchReport(TypedDict):
    """When words come out while sound is played at its own pace."""

    schema: SchemaId
    machine: MeasuredMachine
    model: str
    live: Annotated[list[LiveMeasurement], "One for each playing."]


def measured_machine() -> MeasuredMachine:
    """This machine, with the native library that is loaded."""
    return {**describe(), "native": instruction_set()}


def write_report(file: Path | None, report: BenchReport | LiveBenchReport) -> None:
    """Write what has been measured so far, if a file was named."""
    if file is not None:
        text = json.dumps(report, default=asdict, ensure_ascii=False, indent=1)
        file.write_text(text + "\n", encoding="utf-8")
