"""Retries requests to servers, and holds the settings of everything read over a network.

Errors that may pass (for a file's bytes, all but a clear "no such file" and "not allowed"; see
:mod:`quest22.source.io.error_kinds`) are retried with exponential backoff until a timeout;
``Retry-After`` is honoured. A host that has never answered is given up much sooner: its name is
more likely wrong than its server restarting.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from quest22.errors import SourceError
from quest22.metrics import Metrics
from quest22.settings import MEMORY_BYTES, MemorySettings
from quest22.source.io.address import is_chain, links
from quest22.source.io.error_kinds import (
    SourceChangedError,
    error_kind,
    has_answered,
    is_auth_error,
    is_passing,
    is_transient,
    reason_of,
    responding_host,
)
from quest22.source.io.known_files import KnownFiles
from quest22.source.io.waiting import WaitingBoard
from quest22.system.retry import Backoff, retry

T = TypeVar("T")

_CONNECT_TIMEOUT_S = 30.0
LOG_AFTER_S = 5.0
"""Retries that last longer are logged while they last."""

_log = logging.getLogger("quest22")


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Timeouts and retries, and how many bytes are prefetched or buffered.

    ``retry_timeout_s`` outlasts a server's restart; ``unknown_host_timeout_s`` applies to a host
    that has not answered yet. ``auth_retries`` is how often a 401 or 403 is retried once the host
    has answered: signed addresses and tokens expire and are renewed. ``change_retries`` is how
    often a file that seems to have changed is looked at again. A server that sends nothing
    for ``read_timeout_s``, or takes longer than ``range_timeout_s`` for one range, gets the request
    again. Streams without random access that exceed ``spooled_bytes``, and recordings inside a tar
    that exceed ``member_bytes``, go to a file on disk.
    """

    retry_timeout_s: float = 300.0
    unknown_host_timeout_s: float = 4.0
    first_delay_s: float = 0.5
    max_delay_s: float = 15.0
    max_retry_after_s: float = 120.0
    auth_retries: int = 3
    change_retries: int = 2
    read_timeout_s: float = 60.0
    range_timeout_s: float = 300.0
    prefetch_bytes: int = MEMORY_BYTES // 16
    spooled_bytes: int = MEMORY_BYTES // 64
    member_bytes: int = MEMORY_BYTES // 16
    range_bytes: int = 2 << 20
    connections: int = 3

    def within(self, memory: MemorySettings) -> NetworkSettings:
        """The same within these bounds; each connection has room for a range and the next."""
        return replace(
            self,
            prefetch_bytes=memory.fetched_bytes,
            spooled_bytes=memory.spooled_bytes,
            member_bytes=memory.undecoded_bytes,
            range_bytes=min(self.range_bytes, memory.fetched_bytes // (2 * self.connections)),
        )

    def patient(self, retry_for_s: float) -> NetworkSettings:
        """The same, retrying any host for so long, whether it has answered before or not."""
        return replace(self, retry_timeout_s=retry_for_s, unknown_host_timeout_s=retry_for_s)

    @property
    def backoff(self) -> Backoff:
        """The schedule of retries."""
        return Backoff(self.first_delay_s, self.max_delay_s, jitter=(0.5, 1.0))


class NetworkError(SourceError):
    """A server failed for longer than the retry timeout; the run can be continued later."""


@dataclass(slots=True)
class _Request:
    """One request that is being retried; ``file``: it reads the bytes of one."""

    name: str
    host: str
    file: bool = False
    read_before: bool = False
    begun_s: float = field(default_factory=time.monotonic)
    delays: Iterator[float] = field(default_factory=lambda: iter(()))
    tries: int = 0
    auth_errors: int = 0
    changes: int = 0


class RetryingClient:
    """Sends requests to servers and retries what is transient.

    Counts ``net_bytes`` and, by host and kind of error, ``retries``; logs retries that last. Safe
    to use from several threads at once.
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
        self.known_files = KnownFiles()
        self._waiting = WaitingBoard()
        self._known_hosts: set[str] = set()
        self._failing_hosts: set[str] = set()

    def retry(self, action: Callable[[], T], name: str) -> T:
        """The result of ``action``, which asks for the address ``name``; retried while it fails.

        Errors that are not transient are raised as they are. Raises :class:`NetworkError` with
        the number of tries when the retry timeout has passed.
        """
        return self._retry(action, _Request(name, host_of(name)))

    def retry_file(self, action: Callable[[], T], name: str, *, read_before: bool) -> T:
        """The same for an ``action`` that reads a file's bytes: all that may pass is waited out.

        ``read_before``: the file was read, so that a server that denies it must be wrong.
        """
        return self._retry(action, _Request(name, host_of(name), True, read_before))

    def heard_from(self, name: str) -> None:
        """Note that something has come from the server of this address."""
        self._waiting.heard_from(host_of(name))

    def _retry(self, action: Callable[[], T], request: _Request) -> T:
        with self.metrics.network_wait(), self._waiting.waiting(request.host):
            result = retry(action, lambda exc: self._delay_after(exc, request))
        self._mark_answered(request.host)
        return result

    def count_received(self, count: int) -> None:
        """Count bytes that came over the network."""
        self.metrics.count("net_bytes", count)

    def filesystem_of(self, address: str, *, in_ranges: bool = False) -> tuple[Any, str]:
        """The fsspec filesystem of an address, and the path in it; raises fsspec's errors.

        ``in_ranges``: only short ranges are read, so a response that takes long is given up.
        """
        import fsspec
        from fsspec.core import url_to_fs

        schemes = {link.partition("://")[0] for link in links(address)}
        total_s = self.settings.range_timeout_s if in_ranges else None
        by_scheme = storage_options(self.token, self.settings.read_timeout_s, total_s)
        options = {name: value for name, value in by_scheme.items() if name in schemes}
        if not is_chain(address):
            options = next(iter(options.values()), {})
            if schemes <= {"http", "https"}:  # url_to_fs takes an IPv6 address for a chain
                return fsspec.filesystem(*schemes, **options), address
        filesystem, path = url_to_fs(address, **options)
        return filesystem, path

    def _delay_after(self, error: Exception, request: _Request) -> float:
        """Seconds to wait before the next try; raises when there is none."""
        if not request.tries:
            request.delays = self.settings.backoff.delays()
        request.tries += 1
        known_host = request.host in self._known_hosts
        if not self._may_pass(error, request, known_host=known_host):
            raise error
        if has_answered(error):
            known_host = True
            self._known_hosts.add(request.host)
            self._waiting.heard_from(request.host)
        timeout_s = (
            self.settings.retry_timeout_s if known_host else self.settings.unknown_host_timeout_s
        )
        elapsed_s = time.monotonic() - request.begun_s
        delay_s = self.settings.backoff.next_s(
            error, request.delays, self.settings.max_retry_after_s
        )
        if elapsed_s + delay_s > timeout_s or request.auth_errors > self.settings.auth_retries:
            raise NetworkError(_giving_up(error, request, elapsed_s)) from error
        self._count_retry(error, request, elapsed_s + delay_s, timeout_s - elapsed_s)
        return delay_s

    def _may_pass(self, error: Exception, request: _Request, *, known_host: bool) -> bool:
        if isinstance(error, SourceChangedError):
            request.changes += 1
            return request.file and request.changes <= self.settings.change_retries
        if known_host and is_auth_error(error):
            request.auth_errors += 1
            return True
        if request.file:
            return is_passing(error, read_before=request.read_before)
        return not isinstance(error, NetworkError) and is_transient(error)

    def _count_retry(
        self, error: Exception, request: _Request, until_s: float, remaining_s: float
    ) -> None:
        """Count a retry, and log the first one that comes late."""
        host = request.host
        self.metrics.count_labelled("retries", responding_host(error) or host, error_kind(error))
        if until_s >= LOG_AFTER_S and host not in self._failing_hosts:
            self._failing_hosts.add(host)
            reason = reason_of(error, request.name)
            _log.warning("%s; retrying for up to %.0f s", reason, remaining_s)

    def _mark_answered(self, host: str) -> None:
        self._known_hosts.add(host)
        if host in self._failing_hosts:
            self._failing_hosts.discard(host)
            _log.warning("%s is reachable again", host)


def host_of(name: str) -> str:
    """The server that an address is read from; a bucket for a store; else the name itself."""
    last = links(name)[-1]
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
    read_timeout_s: float = NetworkSettings().read_timeout_s,
    total_timeout_s: float | None = None,
) -> dict[str, dict[str, Any]]:
    """Options of fsspec for each scheme: timeouts, and the Hub's token."""
    import aiohttp

    # aiohttp's default would end any response after five minutes, however well it flows.
    timeouts = aiohttp.ClientTimeout(
        total=total_timeout_s, sock_connect=_CONNECT_TIMEOUT_S, sock_read=read_timeout_s
    )
    http = {"client_kwargs": {"timeout": timeouts, "trust_env": True}}
    return {"http": http, "https": http, "hf": {"token": token} if token else {}}


def _giving_up(error: Exception, request: _Request, elapsed_s: float) -> str:
    tries = "once" if request.tries == 1 else f"{request.tries} times in {elapsed_s:.0f} s"
    return f"{reason_of(error, request.name)} (tried {tries})"
