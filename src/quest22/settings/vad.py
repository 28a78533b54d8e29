"""Voice activity detection: whether silence is skipped, and what counts as speech."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from quest22.settings.forms import Form
from quest22.settings.option import (
    check_at_least,
    check_choice,
    check_fraction,
    check_positive,
    option,
)

VadMode: TypeAlias = Literal["off", "on", "auto"]
PANEL = "Voice activity"


def read_vad_mode(name: str, value: Any) -> str | None:
    """``off``, ``on`` or ``auto``; True is on, False off, None the long form's default."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "on" if value else "off"
    check_choice(name, value, get_args(VadMode))
    return str(value)


VAD_MODE = Form(
    read_vad_mode,
    'bool | Literal["off", "on", "auto"] | None',
    lambda mode: None if mode is None else str(mode),
)


@dataclass(frozen=True, slots=True)
class VadSettings:
    """Whether silence is skipped before Whisper runs, and what counts as speech.

    All but ``vad`` are faster-whisper's ``VadOptions``, and have its defaults in the chunked and
    the sequential long form; see ``docs/voice-activity.md``.
    """

    vad: VadMode | None = option(
        None,
        flags="--vad",
        form=VAD_MODE,
        help="Skip audio without speech. [cyan]auto[/] skips silences only in clips longer than "
        "one window.",
        unset="auto; chunked or sequential: windows without any speech",
        metavar="off|on|auto",
        panel=PANEL,
    )
    vad_threshold: float = option(
        0.5,
        flags="--vad-threshold",
        help="Speech starts at this probability.",
        metavar="0…1",
        unit="probability",
        panel=PANEL,
    )
    vad_neg_threshold: float | None = option(
        None,
        flags="--vad-neg-threshold",
        help="Speech may end below this probability.",
        metavar="0…1",
        unit="probability",
        unset="0.2; threshold − 0.15 if chunked or sequential",
        panel=PANEL,
    )
    vad_min_speech_duration_ms: int = option(
        0,
        flags="--vad-min-speech-duration-ms",
        help="Ignore speech shorter than this.",
        metavar="MS",
        unit="ms",
        panel=PANEL,
    )
    vad_max_speech_duration_s: float | None = option(
        None,
        flags="--vad-max-speech-duration-s",
        help="Cut speech longer than this at its last pause.",
        metavar="S",
        unit="s",
        unset="29; 30 if chunked, no limit if sequential",
        panel=PANEL,
    )
    vad_min_silence_duration_ms: int | None = option(
        None,
        flags="--vad-min-silence-duration-ms",
        help="Silence of this length ends speech.",
        metavar="MS",
        unit="ms",
        unset="2000; 160 if chunked",
        panel=PANEL,
    )
    vad_speech_pad_ms: int | None = option(
        None,
        flags="--vad-speech-pad-ms",
        help="Padding on each side of speech.",
        metavar="MS",
        unit="ms",
        unset="500; 400 if chunked or sequential",
        panel=PANEL,
    )

    def __post_init__(self) -> None:
        if self.vad is not None:
            check_choice("vad", self.vad, get_args(VadMode))
        check_fraction("vad_threshold", self.vad_threshold)
        check_fraction("vad_neg_threshold", self.vad_neg_threshold)
        check_at_least("vad_min_speech_duration_ms", self.vad_min_speech_duration_ms, 0)
        check_positive("vad_max_speech_duration_s", self.vad_max_speech_duration_s)
        check_at_least("vad_min_silence_duration_ms", self.vad_min_silence_duration_ms, 0)
        check_at_least("vad_speech_pad_ms", self.vad_speech_pad_ms, 0)
