"""Where live sound comes from, as the user names it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from quest22.capture.raw_pcm import RawFormat
from quest22.errors import UsageError
from quest22.settings import AudioSettings
from quest22.settings.option import check_at_least, check_choice

Pace: TypeAlias = Literal["real", "fast"]

STDIN = "-"
MAX_CLIENTS = 8


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """Where live sound comes from.

    ``source`` is a file, a named pipe, a URL, or ``-`` for standard input; None: the microphone,
    or the clients of ``listen``, which is ``tcp://HOST:PORT``. ``microphone`` chooses one by number
    or by part of its name. ``pace`` is that of a file or of standard input; None: real for
    files and URLs, as it comes for the rest. ``raw`` says how samples without a header are written.
    At most ``max_clients`` are heard at once; ``once``: the first one ends the program.
    """

    source: str | None = None
    microphone: str | None = None
    listen: str | None = None
    pace: Pace | None = None
    raw: RawFormat | None = None
    max_clients: int = MAX_CLIENTS
    once: bool = False
    audio: AudioSettings = field(default_factory=AudioSettings)
    token: str | None = None

    def __post_init__(self) -> None:
        check_at_least("max_clients", self.max_clients, 1)
        if self.pace is not None:
            check_choice("pace", self.pace, get_args(Pace))
            if self.source is None:
                raise UsageError("--pace is for a file, a URL or standard input: none is named")
        named = [
            name
            for name, value in (
                (f"the source {self.source}", self.source),
                (f"--microphone {self.microphone}", self.microphone),
                (f"--listen {self.listen}", self.listen),
            )
            if value is not None
        ]
        if len(named) > 1:
            raise UsageError(f"{' and '.join(named)} are named: sound can come from one of them")
        if self.each_channel and self.listen is not None:
            raise UsageError(
                "--channel each is not for clients, which are several already: let each channel be "
                "a client of its own"
            )

    @property
    def each_channel(self) -> bool:
        """Whether each channel is a sound of its own."""
        return self.audio.channel == "each"

    @property
    def channel(self) -> int | None:
        """The channel that is heard; None: the mix."""
        channel = self.audio.channel
        return channel if isinstance(channel, int) else None
