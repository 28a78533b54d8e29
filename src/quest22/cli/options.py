"""Model and speech flags: each group is a frozen object that knows which settings it stands for.

Names are those that users of openai/whisper, faster-whisper and Transformers know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, TypeAlias, cast

from typer import Option

from quest22.cli.decoding_options import DecodingFlags
from quest22.cli.numbers import parse_numbers
from quest22.cli.voice_options import VoiceFlags
from quest22.errors import UsageError
from quest22.records import WINDOW_S
from quest22.settings import (
    APPEND_PUNCTUATIONS,
    DEFAULT_MODEL,
    PREPEND_PUNCTUATIONS,
    AudioSettings,
    DecodingSettings,
    EngineSettings,
    LongFormName,
    LongFormSettings,
    MemorySettings,
    hub_token,
)
from quest22.settings.quantities import parse_duration_s, parse_size

MODEL, SPEECH = "Model", "Speech"

Memory: TypeAlias = Annotated[
    str,
    Option(
        help="Memory for sound on its way, beside the model: [cyan]512M[/], [cyan]2G[/] …",
        rich_help_panel=SPEECH,
        metavar="SIZE",
    ),
]


@dataclass(frozen=True, slots=True)
class ModelFlags:
    """Which checkpoint runs, where and how."""

    model: Annotated[
        str,
        Option(
            "--model",
            "-m",
            metavar="NAME|ID|FOLDER",
            help="A short name ([cyan]tiny[/] … [cyan]large-v3-turbo[/], [cyan]nano[/]; see "
            "[cyan]quest22 models[/]), any Whisper on the Hub, or a folder.",
            rich_help_panel=MODEL,
        ),
    ] = DEFAULT_MODEL
    model_revision: Annotated[
        str | None,
        Option(help="Branch, tag or commit of the model.", rich_help_panel=MODEL, metavar="REV"),
    ] = None
    device: Annotated[
        str, Option(help="[cyan]auto[/] or [cyan]cpu[/].", rich_help_panel=MODEL, metavar="NAME")
    ] = "auto"
    compute_type: Annotated[
        str,
        Option(
            "--compute-type",
            "--dtype",
            metavar="TYPE",
            help="Precision: [cyan]auto[/] (the fastest without int8 weights), [cyan]float32 "
            "bfloat16 int8[/] …",
            rich_help_panel=MODEL,
        ),
    ] = "auto"
    batch_size: Annotated[
        str,
        Option(help="Windows run at once, or [cyan]auto[/].", rich_help_panel=MODEL, metavar="N"),
    ] = "auto"
    threads: Annotated[
        int | None, Option(help="Threads of the engine.", rich_help_panel=MODEL, metavar="N")
    ] = None
    token: Annotated[
        str | None,
        Option(
            metavar="TOKEN",
            help="Token for gated and private repositories; better left to [cyan]HF_TOKEN[/] or "
            "[cyan]hf auth login[/].",
            rich_help_panel=MODEL,
        ),
    ] = None

    def settings(self) -> EngineSettings:
        """Raises :class:`UsageError` for a batch size that is no number."""
        return EngineSettings(
            model=self.model,
            revision=self.model_revision,
            device=self.device,
            compute_type=self.compute_type,
            batch_size=parse_batch_size(self.batch_size),
            threads=self.threads,
            token=self.token or hub_token(),
        )


@dataclass(frozen=True, slots=True)
class FileModelFlags(ModelFlags):
    """The same where no dataset claims ``--revision``."""

    model_revision: Annotated[
        str | None,
        Option(
            "--revision",
            "--model-revision",
            help="Branch, tag or commit of the model.",
            rich_help_panel=MODEL,
            metavar="REV",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class SpeechFlags(DecodingFlags):
    """What is heard and how it is written down."""

    language: Annotated[
        str | None,
        Option(
            "--language",
            "-l",
            metavar="LANGUAGE",
            help="[cyan]ru[/] or [cyan]Russian[/]; [cyan]auto[/], or not given: detected.",
            rich_help_panel=SPEECH,
        ),
    ] = None
    task: Annotated[
        str,
        Option(
            help="[cyan]transcribe[/], or [cyan]translate[/] into English.",
            rich_help_panel=SPEECH,
            metavar="TASK",
        ),
    ] = "transcribe"
    timestamps: Annotated[
        bool | None,
        Option(
            "--timestamps/--no-timestamps",
            help="Segments with times; as the output needs them if not given.",
            rich_help_panel=SPEECH,
        ),
    ] = None
    word_timestamps: Annotated[
        bool,
        Option(
            "--word-timestamps",
            help="Times and probabilities of words; implies [cyan]--timestamps[/].",
            rich_help_panel=SPEECH,
        ),
    ] = False
    prepend_punctuations: Annotated[
        str,
        Option(
            help="Marks that join the word behind them.", rich_help_panel=SPEECH, metavar="MARKS"
        ),
    ] = PREPEND_PUNCTUATIONS
    append_punctuations: Annotated[
        str,
        Option(
            help="Marks that join the word before them.", rich_help_panel=SPEECH, metavar="MARKS"
        ),
    ] = APPEND_PUNCTUATIONS
    long_form: Annotated[
        str,
        Option(
            help="[cyan]chunked[/]: windows that overlap, all at once; [cyan]sequential[/]: one "
            "after the other, by timestamps, as openai/whisper.",
            rich_help_panel=SPEECH,
            metavar="NAME",
        ),
    ] = "chunked"
    clip_timestamps: Annotated[
        str,
        Option(
            help="Sequential: hear from and to these seconds.",
            rich_help_panel=SPEECH,
            metavar="S,S",
        ),
    ] = ""
    chunk_length_s: Annotated[
        float,
        Option(help="Seconds of a window, up to 30.", rich_help_panel=SPEECH, metavar="S"),
    ] = WINDOW_S
    stride_length_s: Annotated[
        str,
        Option(
            help="Overlap on each side of a window: one number, or [cyan]left,right[/].",
            rich_help_panel=SPEECH,
            metavar="S[,S]",
        ),
    ] = "5"
    max_new_tokens: Annotated[
        int | None, Option(help="Most tokens a window.", rich_help_panel=SPEECH, metavar="N")
    ] = None
    channel: Annotated[
        int | None,
        Option(help="Hear one channel, from 0, not the mix.", rich_help_panel=SPEECH, metavar="N"),
    ] = None
    workers: Annotated[
        int | None,
        Option(help="Threads that decode sound.", rich_help_panel=SPEECH, metavar="N"),
    ] = None
    max_duration: Annotated[
        str,
        Option(
            help="A longer recording is a failure: [cyan]90m[/], [cyan]24h[/] …",
            rich_help_panel=SPEECH,
            metavar="TIME",
        ),
    ] = "24h"
    memory: Memory = "1G"
    voice: VoiceFlags = field(default_factory=VoiceFlags)

    def decoding(self, *, timestamps: bool, words: bool = False) -> DecodingSettings:
        """``timestamps`` and ``words`` are what the outputs need; the user's flags go first.

        Sequential long form needs them itself.

        Raises :class:`UsageError` for an unknown language or task.
        """
        from quest22.checkpoint.languages import language_code

        named = (self.language or "auto").strip()
        if self.task not in ("transcribe", "translate"):
            raise UsageError(f"unknown task {self.task!r}: expected transcribe or translate")
        words = words or self.word_timestamps
        needed = timestamps or words or self.long_form == "sequential"
        return DecodingSettings(
            language=None if named.lower() == "auto" else language_code(named),
            task="translate" if self.task == "translate" else "transcribe",
            timestamps=needed if self.timestamps is None else self.timestamps,
            max_new_tokens=self.max_new_tokens,
            word_timestamps=words,
            prepend_punctuations=self.prepend_punctuations,
            append_punctuations=self.append_punctuations,
            **self.asked(),
        )

    def longform(self) -> LongFormSettings:
        return LongFormSettings(
            self.chunk_length_s,
            parse_stride(self.stride_length_s),
            cast("LongFormName", self.long_form),
            parse_numbers("clip timestamps", self.clip_timestamps),
        )

    def audio(self) -> AudioSettings:
        """Raises :class:`UsageError` for a time that is none."""
        return AudioSettings(self.channel, self.workers, parse_duration_s(self.max_duration))

    def bounds(self) -> MemorySettings:
        """Raises :class:`UsageError` for a size that is none, or too small."""
        return MemorySettings.of(parse_size(self.memory))


def parse_batch_size(text: str) -> int | None:
    """``auto`` or a count; None means chosen by the engine."""
    if text.strip().lower() == "auto":
        return None
    try:
        return int(text)
    except ValueError as exc:
        raise UsageError(f"batch size {text!r}: expected a whole number, or auto") from exc


def parse_stride(text: str) -> tuple[float, float]:
    """``5`` → 5 s on both sides; ``4,2`` → 4 s before and 2 s after."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as exc:
        raise UsageError(f"stride {text!r}: expected seconds as one number or left,right") from exc
    if len(numbers) > 2:
        raise UsageError(f"stride {text!r}: expected seconds as one number or left,right")
    return numbers[0], numbers[-1]
