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
from quest22.protocols import Sink, Source
from quest22.runs.events import OnEvent, RunEvent
from quest22.runs.file_run import FileRun, transcribe_files
from quest22.runs.write import WriteOptions, transcribe_into
from quest22.runtime.build import file_source
from quest22.runtime.progress import ClipProgress
from quest22.sink.build import open_sinks
from quest22.sink.formats.caption_files import CaptionStreamSink
from quest22.source.io.address import redact

if TYPE_CHECKING:
    from quest22.source.files import FilesSource
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
            help="Files, folders, globs, URLs, or [cyan]-[/] for standard input. Audio or video.",
            show_default=False,
        ),
    ]

    def title(self) -> str:
        """The first source, and how many more there are."""
        first, *others = map(redact, self.source)
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

    A run into a folder that is interrupted continues with the same command, within a recording too.
    Files that are done there are left out.
    """
    configure_logging(report)
    flags = RunFlags(model, speech, output, default_format="txt", timestamps=True)
    token = model.settings().token

    def files(client: RetryingClient) -> FilesSource:
        return file_source(source.source, client, token)

    info = RunInfo(source.title())
    if output.output_dir is None:
        return write_source(flags, report, info, files, progress=True)
    settings = flags.output_settings()
    pipeline = flags.pipeline_settings(settings.formats)
    run = FileRun(files, pipeline, settings, WriteOptions(budget=flags.failure_budget()))
    reporter = RunReporter(report, replace(info, failures_in_file=True), output.output_dir)
    return follow(lambda on_event: transcribe_files(run, on_event), reporter)


def write_source(
    flags: RunFlags,
    report: ReportFlags,
    info: RunInfo,
    source: Callable[[RetryingClient], Source],
    *,
    progress: bool = False,
) -> Exit:
    """Transcribe a source to standard output; ``progress``: texts grow as they come."""
    output = flags.output_settings()
    settings = flags.pipeline_settings(output.formats)
    options = WriteOptions(info.total, budget=flags.failure_budget(), progress=progress)
    sink = open_sinks(output)
    info = replace(info, texts="headed" if sys.stdout.isatty() else "last")
    return follow(
        lambda on_event: transcribe_into(
            lambda: sink, source, settings, growing(sink, on_event), options
        ),
        RunReporter(report, info),
    )


def growing(sink: Sink, on_event: OnEvent) -> OnEvent:
    """Passes events on, and the text of the clip whose result comes next to a sink of captions."""

    def tell(event: RunEvent) -> None:
        on_event(event)
        if (
            isinstance(event, ClipProgress)
            and event.leading
            and isinstance(sink, CaptionStreamSink)
        ):
            sink.grow(event.name, event.partial)

    return tell
