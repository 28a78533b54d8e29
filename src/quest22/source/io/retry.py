"""How patiently, and how far ahead, a source reads over a network. Knows no format.

Troubles that pass (a lost connection, silence, a body cut off, 429, 500 and above) are waited out
with pauses that double and vary, as long as the patience lasts; ``Retry-After`` is honoured. A host
that has never answered is given up soon: its name is more likely wrong than its server restarting.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from quest22.errors import SourceError
from quest22.metrics import Metrics
from quest22.settings import MEMORY_BYTES, MemorySettings
from quest22.source.io.error_kinds import (
    answered_by,
    denied,
    error_kind,
    is_transient,
    reason_of,
    retry_after_s,
)

T = TypeVar("T")

_CONNECT_S = 30.0
TOLD_AFTER_S = 5.0
"""A trouble that lasts longer is told while it lasts."""

_log = logging.getLogger("quest22")


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Seconds of patience with a server that fails, and bytes that are fetched ahead or held.

    ``patience_s`` outlives a server's restart; ``stranger_patience_s`` is for a host that has not
    answered yet. ``denied_tries`` is how often a refusal (401, 403) is tried again where the host
    has let us in before: signed addresses and tokens expire and are renewed. A server that sends
    nothing for ``silence_s``, or takes longer than ``range_s`` for one range, is asked again.
    Past ``spooled_bytes`` of what cannot be read in parts, or ``member_bytes`` of a recording
    within a tar, a file on the disk takes it.
    """

    patience_s: float = 300.0
    stranger_patience_s: float = 4.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 15.0
    longest_asked_pause_s: float = 120.0
    denied_tries: int = 3
    silence_s: float = 60.0
    range_s: float = 300.0
    ahead_bytes: int = MEMORY_BYTES // 16
    spooled_bytes: int = MEMORY_BYTES // 64
    member_bytes: int = MEMORY_BYTES // 16
    range_bytes: int = 2 << 20
    connections: int = 3

    def within(self, memory: MemorySettings) -> NetworkSettings:
        """The same within these bounds; each connection has room for a range and the next."""
        return replace(
            self,
            ahead_bytes=memory.fetched_bytes,
            spooled_bytes=memory.spooled_bytes,
            member_bytes=memory.undecoded_bytes,
            range_bytes=min(self.range_bytes, memory.fetched_bytes // (2 * self.connections)),
        )


class NetworkError(SourceError):
    """A server did not answer for longer than the patience lasts; the run may continue later."""


@dataclass(slots=True)
class _Trouble:
    """One action that fails again and again."""

    begun_s: float
    pause_s: float
    tries: int = 0
    denied: int = 0


class RetryingClient:
    """Carries out actions on servers patiently; counts ``net_bytes`` and tallies ``retries``.

    A trouble that lasts is told in the log. Safe to use from several threads at once.
    """

    def __init__(
        self,
        settings: NetworkSettings | None = None,
        metrics: Metrics | None = None,
        token: str | None = None,
    ) -> None:
        self.settings = settings or NetworkSettings()
        self.metrics = metrics or Metrics()
        self.token = token
        self._answered: set[str] = set()
        self._away: set[str] = set()

    def patiently(self, action: Callable[[], T], name: str) -> T:
        """The result of ``action``, tried again while its troubles may pass.

        Troubles that do not pass are raised as they are. Raises :class:`NetworkError`, with how
        often it was tried, when the patience is at its end.
        """
        with self.metrics.network():
            return self._tried(action, name)

    def _tried(self, action: Callable[[], T], name: str) -> T:
        host = host_of(name)
        trouble: _Trouble | None = None
        while True:
            try:
                result = action()
            except Exception as exc:  # noqa: PERF203 -- trying again is what it is for
                trouble = trouble or _Trouble(time.monotonic(), self.settings.first_pause_s)
                self._bear(exc, trouble, host, name)
            else:
                self._welcome(host)
                return result

    def received(self, count: int) -> None:
        """Count bytes that came over the network."""
        self.metrics.count("net_bytes", count)

    def filesystem_of(self, address: str, *, in_ranges: bool = False) -> tuple[Any, str]:
        """The fsspec filesystem of an address, and the path in it; errors are its own.

        ``in_ranges``: no answer will be long, so one that takes long is given up.
        """
        from fsspec.core import url_to_fs

        schemes = {link.partition("://")[0] for link in address.split("::")}
        longest_s = self.settings.range_s if in_ranges else None
        given = storage_options(self.token, self.settings.silence_s, longest_s)
        options = {name: value for name, value in given.items() if name in schemes}
        if "::" not in address:
            options = next(iter(options.values()), {})
        filesystem, path = url_to_fs(address, **options)
        return filesystem, path

    def _bear(self, error: Exception, trouble: _Trouble, host: str, name: str) -> None:
        """Pause, or raise what ends the patience."""
        trouble.tries += 1
        known = host in self._answered
        refused = known and denied(error)
        trouble.denied += refused
        if not (refused or is_transient(error)):
            raise error
        limit_s = self.settings.patience_s if known else self.settings.stranger_patience_s
        waited_s = time.monotonic() - trouble.begun_s
        pause_s = self._pause_s(error, trouble)
        late = waited_s + pause_s > limit_s or trouble.denied > self.settings.denied_tries
        if late:
            raise NetworkError(_given_up(error, name, trouble.tries, waited_s)) from error
        self.metrics.tally("retries", answered_by(error) or host, error_kind(error))
        if waited_s + pause_s >= TOLD_AFTER_S and host not in self._away:
            self._away.add(host)
            _log.warning("%s; trying again for %.0f s", reason_of(error, name), limit_s - waited_s)
        time.sleep(pause_s)

    def _welcome(self, host: str) -> None:
        self._answered.add(host)
        if host in self._away:
            self._away.discard(host)
            _log.warning("%s answers again", host)

    def _pause_s(self, error: Exception, trouble: _Trouble) -> float:
        """What the server asks for, else a pause that doubles each time; always a bit more."""
        varied = random.uniform(0.5, 1.0)  # noqa: S311 -- so that many readers do not come at once
        pause_s = trouble.pause_s * varied
        trouble.pause_s = min(2 * trouble.pause_s, self.settings.longest_pause_s)
        asked_s = retry_after_s(error)
        if asked_s is None:
            return pause_s
        return (
            min(asked_s, self.settings.longest_asked_pause_s) + varied * self.settings.first_pause_s
        )


def host_of(name: str) -> str:
    """The server that an address is asked of; a bucket for a store; else the name itself."""
    last = name.rpartition("::")[2]
    scheme, parted, _ = last.partition("://")
    host = urlsplit(last).netloc if parted else ""
    if not host:
        return name
    if scheme == "hf":
        from huggingface_hub import constants

        return urlsplit(constants.ENDPOINT).netloc
    return host if scheme in ("http", "https") else f"{scheme}://{host}"


def storage_options(
    token: str | None,
    silence_s: float = NetworkSettings().silence_s,
    longest_s: float | None = None,
) -> dict[str, dict[str, Any]]:
    """What fsspec is told for each scheme: how long to wait for bytes, and the Hub's token."""
    import aiohttp

    # aiohttp would by default end any answer after five minutes, however well it flows.
    waits = aiohttp.ClientTimeout(total=longest_s, sock_connect=_CONNECT_S, sock_read=silence_s)
    http = {"client_kwargs": {"timeout": waits, "trust_env": True}}
    return {"http": http, "https": http, "hf": {"token": token} if token else {}}


def _given_up(error: Exception, name: str, tries: int, waited_s: float) -> str:
    times = "once" if tries == 1 else f"{tries} times in {waited_s:.0f} s"
    return f"{reason_of(error, name)} (tried {times})"
