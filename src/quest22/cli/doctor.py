"""``quest22 doctor``: reports what works here and how to fix what doesn't."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Literal, TypeAlias

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typing_extensions import TypedDict

from quest22.cli import doctor_checks
from quest22.cli.doctor_checks import Finding, State
from quest22.cli.doctor_gpu import Acceleration, check_acceleration
from quest22.cli.exits import Exit
from quest22.cli.schema_ids import SchemaId, schema_id
from quest22.cli.terminal import output_console
from quest22.env import silence_progress_bars

StateName: TypeAlias = Literal["good", "note", "missing"]

_STATE_NAMES: Mapping[State, StateName] = {
    State.GOOD: "good",
    State.NOTE: "note",
    State.MISSING: "missing",
}
_STYLES = {State.GOOD: "green", State.NOTE: "yellow", State.MISSING: "bold red"}


class FindingFields(TypedDict):
    """What a check found."""

    subject: str
    state: Annotated[StateName, "Only `missing` keeps quest22 from working."]
    found: str
    advice: Annotated[str, "How to fix it; empty if nothing is to be done."]


class DoctorReport(TypedDict):
    """What works on this machine, and how to fix what does not."""

    schema: SchemaId
    complete: Annotated[bool, "Everything required is there."]
    findings: list[FindingFields]
    acceleration: Acceleration


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Report what works on this machine and how to fix what doesn't.

    The line [cyan]run[/] says which engine a run takes, and why; [cyan]gpu[/] and [cyan]pytorch[/],
    what could run it faster. Exit code 0 if everything required is there, 1 if not.
    """
    silence_progress_bars()
    if as_json:
        acceleration = check_acceleration()
        report = doctor_report(run_checks(acceleration), acceleration)
        typer.echo(json.dumps(report, ensure_ascii=False, default=asdict))
        return Exit.DONE if report["complete"] else Exit.NOTHING_DONE
    console = output_console()
    findings = []
    for finding in run_checks():
        findings.append(finding)
        show(console, finding)
    failed = [finding for finding in findings if finding.state is State.MISSING]
    console.print()
    if failed:
        subjects = ", ".join(finding.subject for finding in failed)
        console.print(f"Something required is missing: {subjects} (see ✗ above).", style="bold red")
        return Exit.NOTHING_DONE
    console.print("Everything required is there. Try: quest22 demo", style="bold green")
    return Exit.DONE


def doctor_report(findings: Iterable[Finding], acceleration: Acceleration) -> DoctorReport:
    """The findings, and what runs models, as one object."""
    shown: list[FindingFields] = [
        {
            "subject": each.subject,
            "state": _STATE_NAMES[each.state],
            "found": each.found,
            "advice": each.advice,
        }
        for each in findings
    ]
    complete = all(each["state"] != "missing" for each in shown)
    return {
        "schema": schema_id("doctor"),
        "complete": complete,
        "findings": shown,
        "acceleration": acceleration,
    }


def run_checks(acceleration: Acceleration | None = None) -> Iterator[Finding]:
    """Every check in turn, slow ones last; ``acceleration`` if it was checked before."""
    yield doctor_checks.check_python()
    yield from doctor_checks.check_packages()
    yield doctor_checks.check_processor()
    yield doctor_checks.check_memory()
    yield doctor_checks.check_cache()
    yield doctor_checks.check_engine()
    yield doctor_checks.check_native()
    yield from (acceleration or check_acceleration()).findings()
    yield doctor_checks.check_model()
    yield doctor_checks.check_codecs()
    yield doctor_checks.check_telemetry()
    yield doctor_checks.check_token()
    yield doctor_checks.check_hub()


def show(console: Console, finding: Finding) -> None:
    """One line with mark, subject and what was found; the advice on the next."""
    style = _STYLES[finding.state]
    line = Table.grid(padding=(0, 1))
    line.add_column(width=1)
    line.add_column(width=10)
    line.add_column()
    line.add_row(f"[{style}]{finding.state.value}[/]", finding.subject, escape(finding.found))
    if finding.advice:
        line.add_row("", "", f"[{style}]→ {escape(finding.advice)}[/]")
    console.print(line)
