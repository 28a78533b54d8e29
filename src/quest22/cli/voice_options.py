"""The flags that say how speech is told from silence, by faster-whisper's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from typer import Option

from quest22.settings import VadMode, VadSettings

VOICE = "Voice activity"


@dataclass(frozen=True, slots=True)
class VoiceFlags:
    """Whether silence is skipped, and what counts as speech."""

    vad: Annotated[
        str | None,
        Option(
            help="Skip what holds no speech and cut at pauses: [cyan]off[/], [cyan]on[/], or "
            "[cyan]auto[/] (in clips longer than a window).",
            rich_help_panel=VOICE,
            metavar="off|on|auto",
            show_default="off",
        ),
    ] = None
    vad_filter: Annotated[
        bool, Option("--vad-filter", help="As [cyan]--vad on[/].", rich_help_panel=VOICE)
    ] = False
    vad_threshold: Annotated[
        float,
        Option(
            help="Probability from which on it is speech.", rich_help_panel=VOICE, metavar="SHARE"
        ),
    ] = 0.5
    vad_neg_threshold: Annotated[
        float | None,
        Option(
            help="Below it speech may end; 0.15 less than the other if not given.",
            rich_help_panel=VOICE,
            metavar="SHARE",
        ),
    ] = None
    vad_min_speech_duration_ms: Annotated[
        int, Option(help="Shorter speech does not count.", rich_help_panel=VOICE, metavar="MS")
    ] = 0
    vad_max_speech_duration_s: Annotated[
        float | None,
        Option(help="Longer speech is cut at a pause.", rich_help_panel=VOICE, metavar="S"),
    ] = None
    vad_min_silence_duration_ms: Annotated[
        int | None,
        Option(
            help="So much silence ends speech; 160, or 2000 in sequential long form.",
            rich_help_panel=VOICE,
            metavar="MS",
        ),
    ] = None
    vad_speech_pad_ms: Annotated[
        int, Option(help="Kept on each side of speech.", rich_help_panel=VOICE, metavar="MS")
    ] = 400

    def settings(self) -> VadSettings:
        """Raises :class:`quest22.errors.UsageError` for values that mean nothing."""
        return VadSettings(
            vad=cast("VadMode", self.vad or ("on" if self.vad_filter else "off")),
            vad_threshold=self.vad_threshold,
            vad_neg_threshold=self.vad_neg_threshold,
            vad_min_speech_duration_ms=self.vad_min_speech_duration_ms,
            vad_max_speech_duration_s=self.vad_max_speech_duration_s,
            vad_min_silence_duration_ms=self.vad_min_silence_duration_ms,
            vad_speech_pad_ms=self.vad_speech_pad_ms,
        )
