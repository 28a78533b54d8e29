"""The flags for outputs and for messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from quest22.cli.flags import FlagGroup, flag, flag_group
from quest22.settings import CaptionSettings, FailureSettings, OutputSettings, parse_formats

REPORT = "Reporting"


@flag_group(OutputSettings, CaptionSettings, FailureSettings)
class OutputFlags(FlagGroup):
    """Which formats are written, where, and when failures stop the run."""

    output_format: Annotated[list[str] | None, flag(OutputSettings, "formats")] = None
    output_dir: Annotated[Path | None, flag(OutputSettings, "folder")] = None
    overwrite: Annotated[bool, flag(OutputSettings, "overwrite")] = False

    def settings(self, default_format: str) -> OutputSettings:
        """Raises :class:`UsageError` for formats that the destination does not support."""
        return OutputSettings(
            parse_formats(self.output_format or [default_format]),
            self.output_dir,
            overwrite=self.overwrite,
            captions=self.captions(),
        )

    def captions(self) -> CaptionSettings:
        """Raises :class:`UsageError` for contradicting limits."""
        return self.make(CaptionSettings)

    def failure_limit(self) -> int | None:
        """How many clips may fail before the run stops; None: no limit.

        Raises :class:`UsageError` for an unknown policy or an invalid number.
        """
        return self.make(FailureSettings).limit


@dataclass(frozen=True, slots=True)
class ReportFlags:
    """How much is written to standard error."""

    quiet: Annotated[
        bool, Option("--quiet", "-q", help="Print errors only.", rich_help_panel=REPORT)
    ] = False
    verbose: Annotated[
        bool,
        Option("--verbose", help="Print settings and warnings too.", rich_help_panel=REPORT),
    ] = False
    stats_json: Annotated[
        Path | None,
        Option(
            help="Write counts, speed and the time of each stage to this JSON file.",
            rich_help_panel=REPORT,
            metavar="FILE",
        ),
    ] = None
    debug: Annotated[
        bool, Option("--debug", help="Show the traceback of an error.", rich_help_panel=REPORT)
    ] = False
