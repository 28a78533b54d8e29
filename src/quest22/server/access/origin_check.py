"""Which pages in a browser may use the server: its own, and those of sites that were named.

A page of any site can make its reader's browser send requests to this machine. So those that come
from another site are refused, unless it is allowed; and while the server listens on this machine
only, so are those for a host name that is not its own, to which a site may have pointed its name
(DNS rebinding). Programs that are no browsers send no ``Origin`` and are not concerned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quest22.server.operations.request_context import current_request
from quest22.settings.server import ServerSettings

ANY = "*"
OWN_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

PREFLIGHT_S = 600
METHODS = "GET, POST, DELETE, OPTIONS"
SHOWN_HEADERS = "x-request-id, retry-after, location, dg-request-id"


@dataclass(frozen=True, slots=True)
class AllowedOrigins:
    """Hosts by which the server may be addressed (None: any), and other sites that may use it."""

    hosts: frozenset[str] | None
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: ServerSettings) -> AllowedOrigins:
        """As the settings say; behind a Unix socket is a proxy, which checks the host."""
        allowed = {name.lower() for name in settings.allow_host}
        checks = settings.uds is None and is_loopback(settings.host) and ANY not in allowed
        hosts = frozenset(allowed | OWN_NAMES | {settings.host.lower()}) if checks else None
        return cls(hosts, frozenset(each.lower().rstrip("/") for each in settings.allow_origin))

    def host_allowed(self, host: str) -> bool:
        """Whether a ``Host`` header names this server; the port does not matter."""
        return self.hosts is None or host_name(host) in self.hosts

    def origin_allowed(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may use a server that it addresses by ``host``."""
        origin = origin.lower()
        own = origin.partition("://")[2] == host.lower() and bool(host)
        return own or origin in self.origins or ANY in self.origins


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """``LOCALHOST:8000`` → ``localhost``; ``[::1]:8000`` → ``::1``."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


class OriginCheck:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, sites: AllowedOrigins) -> None:
        self._app = app
        self._sites = sites

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._sites.host_allowed(host):
            await _refuse(scope, receive, send, _wrong_host(host))
        elif origin is None:
            await self._app(scope, receive, send)
        elif not self._sites.origin_allowed(origin, host):
            await _refuse(scope, receive, send, _wrong_origin(origin))
        elif scope["type"] == "http" and _is_preflight(scope, headers):
            await _preflight(origin, headers)(scope, receive, send)
        else:
            await self._app(scope, receive, _shown_to(origin, send))


def _wrong_host(host: str) -> str:
    return (
        f"this server is not called {host_name(host)!r}: address it as localhost, or start it "
        "with --allow-host"
    )


def _wrong_origin(origin: str) -> str:
    return f"pages of {origin!r} may not use this server: start it with --allow-origin"


async def _refuse(scope: Scope, receive: Receive, send: Send, message: str) -> None:
    current_request().reason = "forbidden"
    response = PlainTextResponse(message + "\n", HTTPStatus.FORBIDDEN)
    await response(scope, receive, send)  # for a websocket, too: it answers the handshake


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


def _preflight(origin: str, headers: Headers) -> Response:
    answer = Response(status_code=HTTPStatus.NO_CONTENT, headers=dict(_cors(origin)))
    answer.headers["Access-Control-Allow-Methods"] = METHODS
    answer.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
    answer.headers["Vary"] = "Origin"
    if wanted := headers.get("access-control-request-headers"):
        answer.headers["Access-Control-Allow-Headers"] = wanted
    if headers.get("access-control-request-private-network") == "true":
        answer.headers["Access-Control-Allow-Private-Network"] = "true"
    return answer


def _cors(origin: str) -> Iterable[tuple[str, str]]:
    return (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", SHOWN_HEADERS),
    )


def _shown_to(origin: str, send: Send) -> Send:
    """Let the page read the answer."""

    async def shown(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope={"headers": list(message.get("headers", []))})
            for name, value in _cors(origin):
                headers[name] = value
            headers.add_vary_header("Origin")
            message = {**message, "headers": headers.raw}
        await send(message)

    return shown
