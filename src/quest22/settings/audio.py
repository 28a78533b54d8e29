"""How audio is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from quest22.settings.forms import CHANNEL, DURATION, EACH, TRACK, Channel
from quest22.settings.option import check_at_least, check_fraction, check_positive, option

PANEL = "Audio"


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """How audio is decoded."""

    channel: Channel | None = option(
        None,
        flags="--channel",
        form=CHANNEL,
        help="Use one channel, counting from 0, instead of the mix of all; or transcribe "
        "[cyan]each[/] for itself, as of calls, into one transcript.",
        metavar="N|each",
        unset="the mix",
        panel=PANEL,
    )
    audio_track: str | None = option(
        None,
        flags="--audio-track",
        form=TRACK,
        help="Of several audio tracks, use this one: its number, counting from 0, or its language, "
        "such as [cyan]eng[/].",
        metavar="N|LANGUAGE",
        unset="the default track",
        panel=PANEL,
    )
    workers: int | None = option(
        None,
        flags="--workers",
        help="Threads that decode audio.",
        metavar="N",
        unset="one per core, 4 to 8",
        panel=PANEL,
    )
    max_duration_s: float = option(
        24 * 3600.0,
        flags="--max-duration",
        form=DURATION,
        help="Fail recordings longer than this: [cyan]90m[/], [cyan]24h[/] …",
        metavar="TIME",
        unit="s",
        panel=PANEL,
    )

    max_damage: float = option(
        0.9,
        flags="--max-damage",
        help="Fail damaged recordings of which a larger share is missing.",
        metavar="SHARE",
        panel=PANEL,
    )

    def __post_init__(self) -> None:
        if self.channel != EACH:
            check_at_least("channel", CHANNEL.read("channel", self.channel), 0)
        check_at_least("workers", self.workers, 1)
        check_positive("max_duration_s", self.max_duration_s)
        check_fraction("max_damage", self.max_damage)
