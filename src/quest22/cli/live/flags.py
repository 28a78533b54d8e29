"""The flags of ``quest22 live``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from typer import Argument, Option

from quest22.capture.raw_pcm import SAMPLE_FORMATS, RawFormat
from quest22.capture.settings import MAX_CLIENTS, CaptureSettings
from quest22.cli.flag_groups import FlagGroup, flag_group
from quest22.errors import UsageError
from quest22.settings import (
    AudioSettings,
    CaptionSettings,
    DecodingSettings,
    HallucinationSettings,
    LiveSettings,
    VadSettings,
)
from quest22.settings.decoding import SPEECH
from quest22.settings.forms import read_channel
from quest22.settings.live import RECORDINGS_ONLY
from quest22.settings.output import PANEL as OUTPUT
from quest22.sink.formats.live_documents import LIVE_FORMATS, live_format
from quest22.sink.live_files import LiveOutput, parse_live_outputs

SOUND = "Sound"


@dataclass(frozen=True, slots=True)
class SourceFlags:
    """Where sound comes from."""

    source: Annotated[
        str | None,
        Argument(
            metavar="[SOURCE]",
            help="A file, URL or pipe, or [cyan]-[/]; else the microphone. Files and URLs are "
            "heard at their own pace. [cyan]-[/] is standard input.",
            show_default=False,
        ),
    ] = None
    microphone: Annotated[
        str | None,
        Option(
            "--microphone",
            "--mic",
            help="Which microphone: its number, or part of its name.",
            metavar="NAME",
            rich_help_panel=SOUND,
            show_default="the system's",
        ),
    ] = None
    list_devices: Annotated[
        bool,
        Option(
            "--list-devices",
            "--list-microphones",
            help="List microphones and exit.",
            rich_help_panel=SOUND,
        ),
    ] = False
    listen: Annotated[
        str | None,
        Option(
            help="Hear whoever connects: [cyan]tcp://:2222[/]. Without a host, this machine only.",
            metavar="tcp://HOST:PORT",
            rich_help_panel=SOUND,
        ),
    ] = None
    max_clients: Annotated[
        int,
        Option(help="Clients heard at once; others are turned away.", rich_help_panel=SOUND),
    ] = MAX_CLIENTS
    once: Annotated[
        bool, Option("--once", help="End with the first client.", rich_help_panel=SOUND)
    ] = False
    pace: Annotated[
        str | None,
        Option(
            help="Hear a file in real time, or as fast as possible. Standard input too.",
            metavar="real|fast",
            rich_help_panel=SOUND,
            show_default="real for files and URLs",
        ),
    ] = None
    raw_format: Annotated[
        str | None,
        Option(
            "--format",
            "--input-format",
            help="What comes in are raw samples, such as [cyan]s16le[/]. Any of "
            f"[cyan]{' '.join(SAMPLE_FORMATS)}[/], from standard input or clients. Containers "
            "(WAV, Ogg, MP3, WebM, MPEG-TS …) are recognised without it.",
            metavar="FORMAT",
            rich_help_panel=SOUND,
        ),
    ] = None
    rate: Annotated[
        int, Option(help="Of raw samples: how many a second.", metavar="HZ", rich_help_panel=SOUND)
    ] = 16_000
    channels: Annotated[int, Option(help="Of raw samples.", rich_help_panel=SOUND)] = 1
    channel: Annotated[
        str | None,
        Option(
            help="Hear one channel, counting from 0, instead of the mix of all; or [cyan]each[/] "
            "for itself, as of calls.",
            metavar="N|each",
            rich_help_panel=SOUND,
        ),
    ] = None
    audio_track: Annotated[
        str | None,
        Option(
            help="Of several audio tracks, hear this one: its number from 0, or its language.",
            metavar="N|LANGUAGE",
            rich_help_panel=SOUND,
        ),
    ] = None

    def settings(self, token: str | None) -> CaptureSettings:
        """Raises :class:`UsageError` for what contradicts itself."""
        raw = None
        if self.raw_format is not None:
            raw = RawFormat(self.raw_format.lower(), self.rate, self.channels)
        elif (self.rate, self.channels) != (16_000, 1):
            raise UsageError(
                "--rate and --channels describe raw samples: name their format too, as --format "
                "s16le"
            )
        return CaptureSettings(
            source=self.source,
            microphone=self.microphone,
            listen=self.listen,
            pace=self.pace,  # type: ignore[arg-type]  # which checks it
            raw=raw,
            max_clients=self.max_clients,
            once=self.once,
            audio=AudioSettings(
                channel=read_channel("channel", self.channel), audio_track=self.audio_track
            ),
            token=token,
        )


@flag_group(
    DecodingSettings, LiveSettings, HallucinationSettings, VadSettings, without=RECORDINGS_ONLY
)
class LiveSpeechFlags(FlagGroup):
    """What is transcribed, and when it is shown."""

    translate: Annotated[
        bool,
        Option(
            "--translate", help="The same as [cyan]--task translate[/].", rich_help_panel=SPEECH
        ),
    ] = False

    def session_options(self) -> dict[str, Any]:
        """What :meth:`quest22.Transcriber.live` takes. Raises UsageError for invalid values."""
        groups = (DecodingSettings, LiveSettings, HallucinationSettings, VadSettings)
        for group in groups:
            self.make(group)
        found = self.options(*groups)
        return found | {"task": "translate"} if self.translate else found


@flag_group(CaptionSettings)
class LiveOutputFlags(FlagGroup):
    """What is written, and where."""

    output_format: Annotated[
        str | None,
        Option(
            "--output-format",
            "-f",
            help=f"What goes to standard output: [cyan]{' '.join(LIVE_FORMATS)}[/]. "
            "[cyan]jsonl[/] has every event, the others what is final.",
            metavar="FORMAT",
            rich_help_panel=OUTPUT,
            show_default="captions on a terminal, else txt",
        ),
    ] = None
    output: Annotated[
        list[str] | None,
        Option(
            "--output",
            "-o",
            help="Write what is final to files too: [cyan]talk.srt,vtt[/]. They grow as it comes, "
            "and whatever happens, they are whole.",
            metavar="FILES",
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = None
    overwrite: Annotated[
        bool, Option("--overwrite", help="Replace files that exist.", rich_help_panel=OUTPUT)
    ] = False

    def captions(self) -> CaptionSettings:
        """Raises :class:`UsageError` for contradicting limits."""
        return self.make(CaptionSettings)

    def format_name(self) -> str | None:
        """None: as the terminal has it. Raises :class:`UsageError` for an unknown one."""
        return None if self.output_format is None else live_format(self.output_format)

    def files(self) -> tuple[LiveOutput, ...]:
        """Raises :class:`UsageError` for a file whose suffix is no format."""
        return parse_live_outputs(self.output or ())


@dataclass(frozen=True, slots=True)
class LiveReportFlags:
    """How much is told beside the text."""

    quiet: Annotated[
        bool, Option("--quiet", "-q", help="Text and errors only.", rich_help_panel="Reporting")
    ] = False
    verbose: Annotated[
        bool, Option("--verbose", help="Show what libraries log.", rich_help_panel="Reporting")
    ] = False
    debug: Annotated[
        bool, Option("--debug", help="Show the traceback of an error.", rich_help_panel="Reporting")
    ] = False
