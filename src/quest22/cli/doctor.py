"""``quest22 doctor``: what is installed, what works here, and what to do about the rest."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quest22.cli import check_hub, check_installation, check_machine
from quest22.cli.console import output_console
from quest22.cli.exits import Exit
from quest22.cli.finding import Finding, State
from quest22.env import silence_progress_bars

_STYLES = {State.GOOD: "green", State.NOTE: "yellow", State.MISSING: "bold red"}


def doctor() -> int:
    """Check this machine and installation, each line with what to do about it.

    Exit code 0 if all that is needed is there, 1 if something essential is missing.
    """
    silence_progress_bars()
    console = output_console()
    findings = []
    for finding in examine():
        findings.append(finding)
        show(console, finding)
    ill = [finding for finding in findings if finding.state is State.MISSING]
    console.print()
    if ill:
        subjects = ", ".join(finding.subject for finding in ill)
        console.print(f"Something essential is missing: {subjects}, see ✗ above.", style="bold red")
        return Exit.NOTHING_DONE
    console.print("All that is needed is there. Try: quest22 demo", style="bold green")
    return Exit.DONE


def examine() -> Iterator[Finding]:
    """Every check in turn, the slow ones last."""
    yield check_installation.check_python()
    yield from check_installation.check_packages()
    yield check_machine.check_processor()
    yield check_machine.check_memory()
    yield check_machine.check_cache()
    yield check_installation.check_engine()
    yield check_installation.check_native()
    yield check_installation.check_model()
    yield check_installation.check_codecs()
    yield check_installation.check_telemetry()
    yield check_hub.check_token()
    yield check_hub.check_hub()


def show(console: Console, finding: Finding) -> None:
    """A mark, the subject, what was found; what to do goes below it."""
    style = _STYLES[finding.state]
    line = Table.grid(padding=(0, 1))
    line.add_column(width=1)
    line.add_column(width=10)
    line.add_column()
    line.add_row(f"[{style}]{finding.state.value}[/]", finding.subject, escape(finding.found))
    if finding.advice:
        line.add_row("", "", f"[{style}]→ {escape(finding.advice)}[/]")
    console.print(line)
