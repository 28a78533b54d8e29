"""``quest22 live``: captions of what is being said."""

from __future__ import annotations

import sys
from contextlib import closing, nullcontext
from functools import partial

from rich.console import Console

from quest22.api import Transcriber
from quest22.capture.choose import open_source
from quest22.capture.notices import Sparingly
from quest22.capture.settings import CaptureSettings
from quest22.capture.stop import Stop
from quest22.cli.exits import Exit, say
from quest22.cli.flag_groups import grouped
from quest22.cli.live.captions import Captions
from quest22.cli.live.flags import LiveOutputFlags, LiveReportFlags, LiveSpeechFlags, SourceFlags
from quest22.cli.live.run import LiveRun
from quest22.cli.live.speaker import Speaker
from quest22.cli.live.views import EventLines, FinalLines, View
from quest22.cli.model_flags import FileModelFlags
from quest22.cli.terminal import configure_logging
from quest22.env import hub_token
from quest22.errors import UsageError
from quest22.settings import EngineSettings
from quest22.sink.files import StandardOutput
from quest22.sink.formats.live_documents import live_document
from quest22.sink.live_files import LiveFiles, check_live_outputs, numbered, suffixed
from quest22.system.unseen_keys import unseen_keys

EPILOG = """\
[bold]Examples[/]

quest22 live                                      [dim]# the microphone; Ctrl-C ends[/]

quest22 live -o talk.srt,jsonl --language en      [dim]# and files, written as it goes[/]

quest22 live lecture.mp4 -m small                 [dim]# a file, as if it were spoken now[/]

ffmpeg -i rtsp://camera -f wav - | quest22 live - [dim]# whatever ffmpeg reads[/]

arecord -f S16_LE -r 16000 | quest22 live - -f jsonl | your-program

parec --rate=16000 --channels=1 | quest22 live - --format s16le

quest22 live --listen tcp://:2222 --format s16le  [dim]# several at once, from nc, sox …[/]
"""


@grouped
def live(
    source: SourceFlags,
    model: FileModelFlags,
    speech: LiveSpeechFlags,
    output: LiveOutputFlags,
    report: LiveReportFlags,
) -> int:
    """Show what people say while they say it.

    The words of a moment ago may still change: they are shown dim, and the rest firm. In a pipe,
    each sentence is a line as soon as it is final. Ctrl-C ends, and finishes what was said.
    """
    configure_logging(report)
    if source.list_devices:
        return _list_devices()
    capture = source.settings(model.token or hub_token())
    files = output.files()
    captions = output.captions()
    view = _view(output, report, capture)
    options = speech.session_options()

    def tell(line: str) -> None:
        if not report.quiet:
            say(line)

    def open_files(speaker: Speaker, number: int) -> LiveFiles:
        overwrite = output.overwrite
        own = numbered(files, number, taken=not overwrite)
        if speaker.channel is not None:
            own = suffixed(files, speaker.name)
        return LiveFiles(own, captions, overwrite=overwrite)

    check_live_outputs(files, overwrite=output.overwrite)
    stop = Stop()
    with closing(open_source(capture, stop, Sparingly(tell))) as found:
        if sys.stderr.isatty():
            tell("loading the model …")
        with Transcriber(**model.options(EngineSettings)) as whisper:
            opening = partial(whisper.live, **options)
            opening().cancel()  # what the model cannot do is told now, not at the first sound
            run = LiveRun(found, opening, open_files, view, stop)
            tell(f"listening to {found.title}: Ctrl-C ends")
            with unseen_keys(sys.stdout) if isinstance(view, Captions) else nullcontext():
                code = run.run(f"waiting for somebody at {found.title}")
            if code not in (Exit.READER_GONE, Exit.NOTHING_DONE):
                ended = "interrupted after" if code is Exit.INTERRUPTED else "done:"
                tell(f"{ended} {run.summary()}")
    return code


def _view(output: LiveOutputFlags, report: LiveReportFlags, capture: CaptureSettings) -> View:
    """Captions on a terminal; lines in a pipe, or where a format is named."""
    name = output.format_name()
    several = capture.listen is not None and capture.max_clients > 1 and not capture.once
    named = several or capture.each_channel
    console = Console(highlight=False)
    if name is None and console.is_terminal and not console.is_dumb_terminal:
        return Captions(console, named=named, foot=not report.quiet)
    if name == "jsonl":
        return EventLines(StandardOutput(), named=capture.listen is not None)
    if named and name not in (None, "txt"):
        raise UsageError(
            f"{name} cannot hold what several say: choose -f txt or jsonl, or write files with "
            "--output; --max-clients 1 allows one client alone"
        )
    document = live_document(name or "txt", output.captions())
    return FinalLines(StandardOutput(), document, named=named)


def _list_devices() -> Exit:
    """Write a line for each microphone; the system's own is marked."""
    from quest22.capture.microphone import devices, load_sounddevice

    found = devices(load_sounddevice())
    if not found:
        say("no microphone was found")
        return Exit.NOTHING_DONE
    for each in found:
        mark = "*" if each.is_default else " "
        sys.stdout.write(f"{mark} {each.number:>2}  {each.name}, {each.rate_hz:,} Hz\n")
    return Exit.DONE
