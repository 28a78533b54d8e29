"""How the server listens, and how much it takes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from quest22.errors import UsageError
from quest22.settings.forms import DURATION, NAMES, OPTIONAL_DURATION, PATHS
from quest22.settings.option import check_at_least, check_choice, check_positive, option

NETWORK = "Network"
ACCESS = "Access"
LIMITS = "Limits"
OPERATION = "Operation"

RECORDINGS_ON_DISK = 8
"""So many of the largest recordings fit into the temporary disk, unless that is set."""

LogForm: TypeAlias = Literal["text", "json", "off"]


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
    max_temporary_mb: float | None = option(
        None,
        flags="--max-temporary-mb",
        help="Temporary disk for all recordings in work together; those beyond it are refused.",
        metavar="MB",
        unit="MB",
        unset="eight times --max-upload-mb",
        panel=LIMITS,
    )
    upload_stall_s: float = option(
        60.0,
        flags="--upload-timeout",
        form=DURATION,
        help="End an upload of which nothing more comes for so long.",
        metavar="TIME",
        unit="s",
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

    max_wait_s: float = option(
        300.0,
        flags="--max-wait",
        form=DURATION,
        help="Refuse recordings while the first words of a new one would come later than this, as "
        "measured on those that wait.",
        metavar="TIME",
        unit="s",
        panel=LIMITS,
    )
    max_latency_s: float = option(
        10.0,
        flags="--max-latency",
        form=DURATION,
        help="Refuse live sessions while the words of others are committed later than this.",
        metavar="TIME",
        unit="s",
        panel=LIMITS,
    )
    max_live_each: int | None = option(
        None,
        flags="--max-live-each",
        help="Live sessions of one key at once, or of one address where no keys are needed.",
        metavar="N",
        unset="as many as there are",
        panel=LIMITS,
    )
    audio_s_per_minute: float | None = option(
        None,
        flags="--audio-per-minute",
        form=OPTIONAL_DURATION,
        help="Sound that one key (or address) may send in a minute, on average: [cyan]10m[/] … Who "
        "has sent more waits until that is made up.",
        metavar="TIME",
        unit="s",
        unset="no limit",
        panel=LIMITS,
    )
    session_idle_s: float = option(
        900.0,
        flags="--session-idle",
        form=DURATION,
        help="End a Realtime session, or a WebRTC call, whose client sends nothing for so long.",
        metavar="TIME",
        unit="s",
        panel=LIMITS,
    )
    uds: Path | None = option(
        None,
        flags="--uds",
        help="Listen at a Unix socket instead of an address.",
        metavar="PATH",
        unset="none",
        panel=NETWORK,
    )
    tls_cert: Path | None = option(
        None,
        flags="--tls-cert",
        help="A certificate (PEM, with its chain): serve https and wss.",
        metavar="FILE",
        unset="http and ws",
        panel=NETWORK,
    )
    tls_key: Path | None = option(
        None,
        flags="--tls-key",
        help="The certificate's private key (PEM).",
        metavar="FILE",
        unset="in the certificate's file",
        panel=NETWORK,
    )
    forwarded_allow_ips: tuple[str, ...] = option(
        (),
        flags="--forwarded-allow-ips",
        form=NAMES,
        help="Proxies whose [cyan]X-Forwarded-For[/] and [cyan]-Proto[/] are believed: addresses, "
        "networks, or [cyan]unix[/].",
        metavar="ADDRESS",
        unset="none",
        panel=NETWORK,
    )
    wyoming_port: int | None = option(
        None,
        flags="--wyoming-port",
        help="Listen there for Wyoming too, which Home Assistant speaks: [cyan]10300[/] is usual. "
        "Wyoming has neither keys nor encryption.",
        metavar="N",
        unset="no Wyoming",
        panel=NETWORK,
    )
    wyoming_host: str = option(
        "127.0.0.1",
        flags="--wyoming-host",
        help="The address for Wyoming. Everyone who reaches it may use the server.",
        metavar="ADDRESS",
        panel=NETWORK,
    )
    keys: Path | None = option(
        None,
        flags="--keys",
        help="Let in only who has a key of this file, which [cyan]quest22 keys add[/] makes; read "
        "again when it changes.",
        metavar="FILE",
        unset="everyone who reaches the port",
        panel=ACCESS,
    )
    allow_origin: tuple[str, ...] = option(
        (),
        flags="--allow-origin",
        form=NAMES,
        help="Pages of other sites that may use this server: [cyan]https://example.org[/], or "
        "[cyan]*[/].",
        metavar="ORIGIN",
        unset="none",
        panel=ACCESS,
    )
    allow_host: tuple[str, ...] = option(
        (),
        flags="--allow-host",
        form=NAMES,
        help="Names by which this server may be addressed, or [cyan]*[/]; checked while it listens "
        "on this machine only.",
        metavar="NAME",
        unset="localhost and its addresses",
        panel=ACCESS,
    )
    fetch_urls: bool = option(
        False,
        flags="--fetch-urls/--no-fetch-urls",
        help="Fetch recordings that clients name by an address on the public internet.",
        panel=ACCESS,
    )
    metrics_open: bool = option(
        False,
        flags="--metrics-open/--no-metrics-open",
        help="Show [cyan]/metrics[/] to everyone. Without it: to keys; or, where none are needed "
        "and no proxy is before the server, to this machine.",
        panel=ACCESS,
    )
    drain_s: float = option(
        30.0,
        flags="--drain",
        form=DURATION,
        help="When the server is asked to end, wait for recordings in work and for the last words "
        "of live sessions, for so long.",
        metavar="TIME",
        unit="s",
        panel=OPERATION,
    )
    preload: bool = option(
        True,
        flags="--preload/--no-preload",
        help="Load the first model at once, not when it is first used.",
        panel=OPERATION,
    )
    log: LogForm = option(
        "text",
        flags="--log",
        help="One line on standard error for each request, as [cyan]text[/] or [cyan]json[/]; or "
        "[cyan]off[/]. Never what was said, never a key.",
        metavar="FORM",
        panel=OPERATION,
    )

    ice_servers: tuple[str, ...] = option(
        (),
        flags="--ice-server",
        form=PATHS,
        help="For calls over WebRTC: a server that tells under which address this one is reached, "
        "[cyan]stun:HOST:PORT[/], or that passes on what is sent, "
        "[cyan]turn:USER:PASSWORD@HOST:PORT[/].",
        metavar="SERVER",
        unset="none is asked",
        panel=NETWORK,
    )

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise UsageError(f"port is {self.port}: expected 0 to 65535")
        if self.wyoming_port is not None and not 0 <= self.wyoming_port <= 65_535:
            raise UsageError(f"wyoming_port is {self.wyoming_port}: expected 0 to 65535")
        check_positive("max_upload_mb", self.max_upload_mb)
        if self.max_temporary_mb is not None and self.max_temporary_mb < self.max_upload_mb:
            raise UsageError(
                f"max_temporary_mb is {self.max_temporary_mb:g}: expected room for one recording "
                f"(max_upload_mb, {self.max_upload_mb:g}) or more"
            )
        check_positive("upload_timeout", self.upload_stall_s)
        check_positive("max_audio", self.max_audio_s)
        check_at_least("max_requests", self.max_requests, 1)
        check_at_least("max_live", self.max_live, 0)
        check_at_least("max_models", self.max_models, 1)
        check_positive("unload_after", self.idle_s)
        check_positive("max_wait", self.max_wait_s)
        check_positive("max_latency", self.max_latency_s)
        check_at_least("max_live_each", self.max_live_each, 0)
        check_positive("audio_per_minute", self.audio_s_per_minute)
        check_positive("session_idle", self.session_idle_s)
        check_at_least("drain", self.drain_s, 0)
        check_choice("log", self.log, get_args(LogForm))
        if self.tls_key is not None and self.tls_cert is None:
            raise UsageError("--tls-key is the key of a certificate: give --tls-cert too")

    @property
    def max_upload_bytes(self) -> int:
        """The largest recording that is taken."""
        return round(self.max_upload_mb * 1e6)

    @property
    def max_temporary_bytes(self) -> int:
        """Disk that all recordings in work may take."""
        largest = self.max_upload_mb * RECORDINGS_ON_DISK
        return round((largest if self.max_temporary_mb is None else self.max_temporary_mb) * 1e6)
