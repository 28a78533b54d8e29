from __future__ import annotations

from io import StringIO

from rich.console import Console

from quest22.bench.comparison import ProgramResult
from quest22.bench.measures import BenchOutcome
from quest22.cli.bench_tables import machine_line, outcome_table, parts_table, start_lines

OURS = ProgramResult(
    "quest22", "int8", 2.0, 2.5, 1.5, 3.75, 20.0, 10, 300.0, 2_000_000_000, {"encoder": 1.0}
)
OTHER = ProgramResult("other", "float32", 4.0, 4.0, 4.0, 8.0, 20.0, 10, 300.0, 3_000_000_000, {})


def shown(table: object) -> list[str]:
    console = Console(file=StringIO(), width=160)
    console.print(table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def row(lines: list[str], name: str) -> list[str]:
    return next(line for line in lines if f"│ {name} " in line).replace("│", " ").split()


def test_ratios_compare_with_quest22():
    lines = shown(outcome_table("tiny", BenchOutcome("throughput", [OURS, OTHER])))
    assert lines[0].strip() == "throughput: tiny"
    assert row(lines, "quest22")[:4] == ["quest22", "150.0", "1.00", "2.000"]
    assert row(lines, "other")[:4] == ["other", "75.0", "2.00", "4.000"]
    assert row(lines, "quest22")[4:8] == ["1.500", "–", "2.500", "3.750"]


def test_stages_are_per_window_and_shares_of_the_whole():
    lines = shown(parts_table(OURS))
    assert row(lines, "encoder") == ["encoder", "100.00", "50.0%"]
    assert row(lines, "total") == ["total", "200.00"]


def test_the_machine_is_one_line():
    machine = {
        "processor": "CPU",
        "cores": 2,
        "features": ["avx2"],
        "memory_bytes": 8_000_000_000,
        "versions": {"openvino": "1"},
    }
    assert machine_line(machine).startswith("CPU, 2 cores, avx2, 8")
    assert machine_line(machine).endswith("openvino 1, no native library")


def test_the_start_is_told_if_it_was_measured():
    outcome = BenchOutcome("start", seconds={"cold": 2.0, "warm": 0.5})
    assert list(start_lines("tiny", outcome)) == [
        "start: tiny: first transcript after 0.50 s, 2.00 s without a cache"
    ]
    assert list(start_lines("tiny", BenchOutcome("latency"))) == []
