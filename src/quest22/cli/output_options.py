"""The flags for what is written and what is said, in groups as in ``options.py``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from quest22.errors import UsageError
from quest22.settings import CaptionSettings

OUTPUT, REPORT = "Output", "Reporting"
CAPTIONS = "Captions in srt, vtt, tsv and txt (these options time words)"


@dataclass(frozen=True, slots=True)
class OutputFlags:
    """Which formats are written, and where."""

    output_format: Annotated[
        list[str] | None,
        Option(
            "--output-format",
            "-f",
            metavar="FORMAT",
            help="[cyan]txt srt vtt tsv json[/] (a file a clip), [cyan]jsonl parquet[/] (a row a "
            "clip), [cyan]all[/] for the first five; [cyan]srt,vtt[/], or repeated.",
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = None
    output_dir: Annotated[
        Path | None,
        Option(
            "--output-dir",
            "-o",
            metavar="FOLDER",
            help="Folder for the results, made if need be. Without it: standard output.",
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = None
    overwrite: Annotated[
        bool,
        Option(
            "--restart",
            "--overwrite",
            help="Begin anew in place of an earlier run's transcripts.*.",
            rich_help_panel=OUTPUT,
        ),
    ] = False
    max_line_width: Annotated[
        int | None,
        Option(
            help="Most letters a line; longer ones are broken between words.",
            rich_help_panel=CAPTIONS,
            metavar="N",
        ),
    ] = None
    max_line_count: Annotated[
        int | None,
        Option(
            help="Most lines a caption; needs a width; text then flows across segments.",
            rich_help_panel=CAPTIONS,
            metavar="N",
        ),
    ] = None
    max_words_per_line: Annotated[
        int | None,
        Option(
            help="Most words a caption.",
            rich_help_panel=CAPTIONS,
            metavar="N",
        ),
    ] = None
    highlight_words: Annotated[
        bool,
        Option(
            "--highlight-words",
            help="Underline each word as it is spoken.",
            rich_help_panel=CAPTIONS,
        ),
    ] = False
    sentences: Annotated[
        bool,
        Option(
            "--sentences",
            help="Captions begin with sentences: one for each, several for a long one.",
            rich_help_panel=CAPTIONS,
        ),
    ] = False
    on_error: Annotated[
        str,
        Option(
            help="A clip that fails: [cyan]skip[/] it, or [cyan]stop[/] there.",
            rich_help_panel=OUTPUT,
            metavar="skip|stop",
        ),
    ] = "skip"
    max_failures: Annotated[
        int | None,
        Option(help="Stop when more clips than so many fail.", rich_help_panel=OUTPUT, metavar="N"),
    ] = None

    def captions(self) -> CaptionSettings:
        """Raises :class:`UsageError` for limits that cannot be kept."""
        return CaptionSettings(
            max_line_width=self.max_line_width,
            max_line_count=self.max_line_count,
            max_words_per_line=self.max_words_per_line,
            highlight_words=self.highlight_words,
            sentences=self.sentences,
        )

    def failures_borne(self) -> int | None:
        """How many clips may fail before the run stops; None: any number.

        Raises :class:`UsageError` for a policy or a number that does not exist.
        """
        if self.on_error not in ("skip", "stop"):
            raise UsageError(f"--on-error {self.on_error!r}: expected skip or stop")
        if self.max_failures is not None and self.max_failures < 0:
            raise UsageError(f"--max-failures {self.max_failures}: expected 0 or more")
        return 0 if self.on_error == "stop" else self.max_failures


@dataclass(frozen=True, slots=True)
class ReportFlags:
    """How much is said on standard error."""

    quiet: Annotated[
        bool, Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=REPORT)
    ] = False
    verbose: Annotated[
        bool,
        Option("--verbose", help="Say more: settings, warnings.", rich_help_panel=REPORT),
    ] = False
    stats_json: Annotated[
        Path | None,
        Option(
            help="Write counts, speed and where the time went to a file.",
            rich_help_panel=REPORT,
            metavar="FILE",
        ),
    ] = None
    debug: Annotated[
        bool, Option("--debug", help="Show the trace of an error.", rich_help_panel=REPORT)
    ] = False
