"""``quest22 export``: writes transcripts in other formats; see :mod:`quest22.runs.export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from quest22.cli.exits import Exit, exit_for, say
from quest22.cli.flag_groups import FlagGroup, flag, flag_group, grouped
from quest22.cli.output_flags import results_folder
from quest22.runs.export import ExportSettings, ExportSummary
from quest22.runs.export import export as export_run
from quest22.runs.progress_lines import clip_count
from quest22.settings import CaptionSettings, OutputSettings, parse_formats
from quest22.settings.output import PANEL

EPILOG = """\
[bold]Examples[/]

quest22 export out -f srt,vtt

quest22 export out -f parquet -o table

quest22 export out/transcripts.jsonl -f srt -o subtitles --max-line-width 42 --max-line-count 2
"""


@dataclass(frozen=True, slots=True)
class ExportFlags:
    """What is exported, into which formats, and where."""

    folder: Annotated[
        Path,
        Argument(
            metavar="FOLDER",
            help="Output folder of a run, or its transcripts.jsonl or .parquet.",
            show_default=False,
        ),
    ]
    output_format: Annotated[list[str], flag(OutputSettings, "formats", show_default=False)]
    output_dir: Annotated[
        Path | None, flag(OutputSettings, "folder", show_default="the run's folder")
    ] = None
    overwrite: Annotated[
        bool,
        Option("--overwrite", help="Replace files that exist.", rich_help_panel=PANEL),
    ] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print errors only.")] = False

    def settings(self, captions: CaptionSettings) -> ExportSettings:
        """Raises :class:`quest22.errors.UsageError` for an unknown format."""
        formats = parse_formats(self.output_format)
        return ExportSettings(formats, results_folder(self.output_dir), captions, self.overwrite)


@flag_group(CaptionSettings)
class CaptionFlags(FlagGroup):
    """How captions look."""


@grouped
def export(flags: ExportFlags, captions: CaptionFlags) -> int:
    """Write the transcripts of a run in other formats, without transcribing again.

    The run may be finished, interrupted, or unable to finish; in a folder with shards, all are
    exported. They are made from transcripts.jsonl, transcripts.parquet or json files, which keep
    times, and words where the run had --word-timestamps. Other captions keep only what they show.
    """
    summaries = export_run(flags.folder, flags.settings(captions.make(CaptionSettings)))
    for summary in summaries:
        if not flags.quiet:
            _tell(summary, flags.output_format)
    return exit_of(summaries)


def _tell(summary: ExportSummary, formats: list[str]) -> None:
    for note in summary.notes:
        say(note)
    if summary.unreadable:
        say(
            f"{summary.unreadable:,} places in {summary.source} could not be read, and are left out"
        )
    written = ",".join(formats)
    say(f"{clip_count(summary.transcripts)} from {summary.source} as {written} in {summary.folder}")


def exit_of(summaries: list[ExportSummary]) -> Exit:
    """The exit code: what cannot be read counts as failed."""
    unreadable = sum(each.unreadable for each in summaries)
    return exit_for(sum(each.transcripts for each in summaries), unreadable)
