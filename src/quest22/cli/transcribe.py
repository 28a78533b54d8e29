"""``quest22 transcribe``: transcribes files, folders, globs, URLs or standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from quest22.cli.exits import Exit
from quest22.cli.flag_groups import grouped
from quest22.cli.model_flags import FileModelFlags, SpeechFlags
from quest22.cli.output_flags import OutputFlags, ReportFlags
from quest22.cli.progress import RunInfo
from quest22.cli.run import RunReporter, follow
from quest22.cli.run_flags import RunFlags
from quest22.cli.terminal import configure_logging
from quest22.protocols import Source
from quest22.runs.write import WriteOptions, transcribe_into
from quest22.runtime.build import file_source
from quest22.sink.build import open_sinks

if TYPE_CHECKING:
    from quest22.source.io.retry import RetryingClient

EPILOG = """\
[bold]Examples[/]

quest22 transcribe talk.mp3

quest22 transcribe lectures/ -o subtitles -f srt,vtt --model small --language Russian

quest22 transcribe 'https://example.org/talk.mp4' -f json -o out

ffmpeg -i camera -f wav - | quest22 transcribe - --quiet
"""


@dataclass(frozen=True, slots=True)
class SourceFlags:
    """What to transcribe."""

    source: Annotated[
        list[str],
        Argument(
            metavar="SOURCE",
            help="Audio or video: files, folders, globs, [cyan]http(s)://[/] URLs, or [cyan]-[/] "
            "for standard input.",
            show_default=False,
        ),
    ]

    def title(self) -> str:
        """The first source, and how many more there are."""
        first, *others = self.source
        return f"{first} and {len(others)} more" if others else first


@grouped
def transcribe(
    source: SourceFlags,
    model: FileModelFlags,
    speech: SpeechFlags,
    output: OutputFlags,
    report: ReportFlags,
) -> int:
    """Transcribe audio and video files.

    Results go to standard output as text, or to files named after the
    sources: talk.mp3 becomes talk.srt. Messages go to standard error.
    """
    configure_logging(report)
    flags = RunFlags(model, speech, output, default_format="txt", timestamps=True)
    token = model.settings().token
    return write_source(
        flags,
        report,
        RunInfo(source.title()),
        lambda client: file_source(source.source, client, token),
    )


def write_source(
    flags: RunFlags,
    report: ReportFlags,
    info: RunInfo,
    source: Callable[[RetryingClient], Source],
) -> Exit:
    """Transcribe a source to standard output or into files, without a journal."""
    output = flags.output_settings()
    settings = flags.pipeline_settings(output.formats)
    options = WriteOptions(info.total, budget=flags.failure_budget())
    texts_here = output.folder is None and sys.stdout.isatty()
    info = replace(
        info,
        texts="headed" if texts_here else "last",
        failures_in_file=output.folder is not None,
    )
    return follow(
        lambda on_event: transcribe_into(
            lambda: open_sinks(output), source, settings, on_event, options
        ),
        RunReporter(report, info, output.folder),
    )
