"""``quest22 transcribe``: files, folders, globs, URLs or standard input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Argument

from quest22.cli.flags import grouped
from quest22.cli.options import FileModelFlags, SpeechFlags
from quest22.cli.output_options import OutputFlags, ReportFlags
from quest22.cli.work import InputSpec, Work, perform
from quest22.runtime.build import file_source

EPILOG = """\
[bold]Examples[/]

quest22 transcribe talk.mp3

quest22 transcribe lectures/ -o subtitles -f srt,vtt --model small --language Russian

quest22 transcribe 'https://example.org/talk.mp4' -f json -o out

ffmpeg -i camera -f wav - | quest22 transcribe - --quiet
"""


@dataclass(frozen=True, slots=True)
class SourceFlags:
    """What is transcribed."""

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
    """Transcribe sound and video files.

    Results go to standard output as text, or to files named after the
    sources: talk.mp3 becomes talk.srt. All else is said on standard error.
    """
    work = Work(model, speech, output, report, default_format="txt", timestamps=True)
    token = model.settings().token
    found = InputSpec(source.title(), lambda network: file_source(source.source, network, token))
    return perform(work, found)
