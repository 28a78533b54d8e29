"""Checks the ``Host`` and ``Origin`` of requests: which web pages may use the server.

Any web page can make its reader's browser send requests to this machine. Requests from other sites
are therefore refused unless the site is allowed. While the server listens on this machine only, so
are requests for other host names, because a site may point its own name here (DNS rebinding).
Programs other than browsers send no ``Origin`` and are not affected.
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
    """The host names of the server (None: any), and the other sites that may use it."""

    hosts: frozenset[str] | None
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: ServerSettings) -> AllowedOrigins:
        """From the settings. On a Unix socket, the proxy in front checks the host."""
        allowed = {name.lower() for name in settings.allow_host}
        checks = settings.uds is None and is_loopback(settings.host) and ANY not in allowed
        hosts = frozenset(allowed | OWN_NAMES | {settings.host.lower()}) if checks else None
        return cls(hosts, frozenset(each.lower().rstrip("/") for each in settings.allow_origin))

    def host_allowed(self, host: str) -> bool:
        """Whether a ``Host`` header names this server; the port is ignored."""
        return self.hosts is None or host_name(host) in self.hosts

    def origin_allowed(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may use a server that it calls ``host``."""
        origin = origin.lower()
        own = origin.partition("://")[2] == host.lower() and bool(host)
        return own or origin in self.origins or ANY in self.origins


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
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
    """ASGI middleware."""

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
    return f"this server is not {host_name(host)!r}: use localhost, or start it with --allow-host"


def _wrong_origin(origin: str) -> str:
    return f"pages of {origin!r} may not use this server: start it with --allow-origin"


async def _refuse(scope: Scope, receive: Receive, send: Send, message: str) -> None:
    current_request().reason = "forbidden"
    response = PlainTextResponse(message + "\n", HTTPStatus.FORBIDDEN)
    await response(scope, receive, send)  # also answers the handshake of a websocket


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
    """Add the headers that let the page read the response."""

    async def shown(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope={"headers": list(message.get("headers", []))})
            for name, value in _cors(origin):
                headers[name] = value
            headers.add_vary_header("Origin")
            message = {**message, "headers": headers.raw}
        await send(message)

    return shown
