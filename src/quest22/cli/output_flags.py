"""The flags for outputs, publishing and messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from quest22.cli.flag_groups import FlagGroup, flag, flag_group
from quest22.errors import UsageError
from quest22.settings import FORMATS, CaptionSettings, FailureSettings, HubSettings, OutputSettings
from quest22.settings.hub import parse_commit_interval

REPORT = "Reporting"
MIN_COMMIT_SECONDS = 10.0


def results_folder(path: Path | None) -> Path | None:
    """The folder of ``--output-dir``; None for standard output.

    Raises :class:`UsageError` for ``-``, and for the name of a file such as ``talk.srt`` that no
    folder has.
    """
    if path == Path("-"):
        raise UsageError("--output-dir is -: without it, results go to standard output")
    if path is not None and path.suffix[1:].lower() in FORMATS and not path.is_dir():
        raise UsageError(
            f"--output-dir is {path}: expected a folder, in which files are named after the "
            f"recordings; for one file: -f {path.suffix[1:].lower()} > {path}"
        )
    return path


@flag_group(OutputSettings, CaptionSettings, FailureSettings)
class OutputFlags(FlagGroup):
    """Which formats are written, where, and when failures stop the run."""

    output_format: Annotated[list[str] | None, flag(OutputSettings, "formats")] = None
    output_dir: Annotated[Path | None, flag(OutputSettings, "folder")] = None
    overwrite: Annotated[bool, flag(OutputSettings, "overwrite")] = False

    def folder(self) -> Path | None:
        """Raises :class:`UsageError` for what was meant as a file or as standard output."""
        return results_folder(self.output_dir)

    def captions(self) -> CaptionSettings:
        """Raises :class:`UsageError` for contradicting limits."""
        return self.make(CaptionSettings)

    def failure_limit(self) -> int | None:
        """How many clips may fail before the run stops; None: no limit.

        Raises :class:`UsageError` for an unknown policy or an invalid number.
        """
        return self.make(FailureSettings).limit


_QUIET = Option("--quiet", "-q", help="Print errors only.", rich_help_panel=REPORT)
_VERBOSE = Option("--verbose", help="Print settings and warnings too.", rich_help_panel=REPORT)
_DEBUG = Option("--debug", help="Show the traceback of an error.", rich_help_panel=REPORT)


@dataclass(frozen=True, slots=True)
class MessageFlags:
    """How much a command that transcribes nothing writes to standard error."""

    quiet: Annotated[bool, _QUIET] = False
    verbose: Annotated[bool, _VERBOSE] = False
    debug: Annotated[bool, _DEBUG] = False


@dataclass(frozen=True, slots=True)
class ReportFlags:
    """How much is written to standard error."""

    quiet: Annotated[bool, _QUIET] = False
    verbose: Annotated[bool, _VERBOSE] = False
    stats_json: Annotated[
        Path | None,
        Option(
            help="Write counts, speed and the time of each stage to this JSON file.",
            rich_help_panel=REPORT,
            metavar="FILE",
        ),
    ] = None
    debug: Annotated[bool, _DEBUG] = False


@flag_group(HubSettings)
class HubFlags(FlagGroup):
    """Whether, where and how often transcripts are published."""

    push_to_hub: Annotated[str | None, flag(HubSettings, "repository")] = None
    hub_commit_every: Annotated[str, flag(HubSettings, "commit_seconds")] = "10m"

    def settings(self, token: str | None, *, in_folder: bool) -> HubSettings | None:
        """None if nothing is published. Raises :class:`UsageError` for invalid values."""
        if self.push_to_hub is None:
            return None
        if not in_folder:
            raise UsageError(
                "--push-to-hub requires --output-dir, where a run keeps what it needs to continue"
            )
        seconds, rows = parse_commit_interval(self.hub_commit_every)
        return self.make(HubSettings, commit_seconds=seconds, commit_rows=rows, token=token)
