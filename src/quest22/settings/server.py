"""How the server listens, and how much it takes on."""

from __future__ import annotations

from dataclasses import dataclass

from quest22.errors import UsageError
from quest22.settings.forms import DURATION, OPTIONAL_DURATION
from quest22.settings.option import check_at_least, check_positive, option

NETWORK = "Network"
LIMITS = "Limits"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the server listens, and how much it takes on."""

    host: str = option(
        "127.0.0.1",
        flags="--host",
        help="The address to listen on. By default only this machine can connect; "
        "[cyan]0.0.0.0[/] lets everyone who reaches it.",
        metavar="ADDRESS",
        panel=NETWORK,
    )
    port: int = option(
        8000,
        flags="--port",
        help="The port; [cyan]0[/] takes a free one.",
        metavar="N",
        panel=NETWORK,
    )
    max_upload_mb: float = option(
        512.0,
        flags="--max-upload-mb",
        help="Refuse larger recordings.",
        metavar="MB",
        unit="MB",
        panel=LIMITS,
    )
    max_audio_s: float = option(
        4 * 3600.0,
        flags="--max-audio",
        form=DURATION,
        help="Refuse recordings that last longer, however small their file: [cyan]90m[/], "
        "[cyan]4h[/] …",
        metavar="TIME",
        unit="s",
        panel=LIMITS,
    )
    max_requests: int = option(
        64,
        flags="--max-requests",
        help="Recordings that are received or transcribed at once; more are refused.",
        metavar="N",
        panel=LIMITS,
    )
    max_live: int = option(
        16,
        flags="--max-live",
        help="Live sessions at once; more are refused.",
        metavar="N",
        panel=LIMITS,
    )
    max_models: int = option(
        2,
        flags="--max-models",
        help="Models in memory at once; the one that was used longest ago makes room.",
        metavar="N",
        panel=LIMITS,
    )
    idle_s: float | None = option(
        None,
        flags="--unload-after",
        form=OPTIONAL_DURATION,
        help="Free the memory of a model that nobody has used for so long: [cyan]10m[/] …",
        metavar="TIME",
        unit="s",
        unset="never",
        panel=LIMITS,
    )

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise UsageError(f"port is {self.port}: expected 0 to 65535")
        check_positive("max_upload_mb", self.max_upload_mb)
        check_positive("max_audio", self.max_audio_s)
        check_at_least("max_requests", self.max_requests, 1)
        check_at_least("max_live", self.max_live, 0)
        check_at_least("max_models", self.max_models, 1)
        check_positive("unload_after", self.idle_s)

    @property
    def max_upload_bytes(self) -> int:
        """The largest recording that is taken."""
        return round(self.max_upload_mb * 1e6)
