"""When text counts as a hallucination, and is retried at a higher temperature or dropped."""

from __future__ import annotations

from dataclasses import dataclass

from quest22.settings.forms import COUNT_OR_OFF, THRESHOLD
from quest22.settings.option import check_at_least, check_fraction, check_positive, option

PANEL = "Hallucination filter"


@dataclass(frozen=True, slots=True)
class HallucinationSettings:
    """When decoded text counts as a hallucination; None switches a rule off.

    The first four rules are openai/whisper's, the last two ours.
    """

    compression_ratio_threshold: float | None = option(
        2.4,
        flags="--compression-ratio-threshold",
        form=THRESHOLD,
        help="Above this gzip ratio the text is repetitive: try the next temperature.",
        metavar="X|off",
        unit="ratio",
        panel=PANEL,
    )
    logprob_threshold: float | None = option(
        -1.0,
        flags="--logprob-threshold",
        form=THRESHOLD,
        help="Below this mean log-probability the text is improbable: try the next temperature.",
        metavar="X|off",
        unit="log-probability",
        panel=PANEL,
    )
    no_speech_threshold: float | None = option(
        0.6,
        flags="--no-speech-threshold",
        form=THRESHOLD,
        help="Above this no-speech probability, drop improbable text as silence.",
        metavar="X|off",
        unit="probability",
        panel=PANEL,
    )
    hallucination_silence_threshold: float | None = option(
        None,
        flags="--hallucination-silence-threshold",
        form=THRESHOLD,
        help="Sequential, with word timestamps: drop improbable words next to a silence longer "
        "than this.",
        metavar="S|off",
        unit="s",
        panel=PANEL,
    )
    max_repeats: int | None = option(
        10,
        flags="--max-repeats",
        form=COUNT_OR_OFF,
        help="Drop a repetitive segment if the same words repeat more often than this in a row.",
        metavar="N|off",
        unit="repeats",
        panel=PANEL,
    )
    max_speaking_rate: float | None = option(
        100.0,
        flags="--max-speaking-rate",
        form=THRESHOLD,
        help="Drop segments spoken faster than this (characters per second).",
        metavar="X|off",
        unit="characters/s",
        panel=PANEL,
    )

    def __post_init__(self) -> None:
        check_positive("compression_ratio_threshold", self.compression_ratio_threshold)
        check_fraction("no_speech_threshold", self.no_speech_threshold)
        check_at_least("max_repeats", self.max_repeats, 2)
        check_positive("max_speaking_rate", self.max_speaking_rate)
