"""``/health``: is the process alive? ``/ready``: does the engine work? ``/metrics``: Prometheus."""

from __future__ import annotations

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from quest22.server.access.credentials import header_key, peer_address
from quest22.server.access.origin_check import is_loopback
from quest22.server.operations.readiness import Readiness
from quest22.server.refusal import Refusal
from quest22.server.service import Service
from quest22.settings.server import ServerSettings

PROXY_HEADERS = frozenset({"forwarded", "via", "x-real-ip"})
"""What proxies add, besides ``X-Forwarded-For`` and its like."""


def routes(service: Service) -> list[BaseRoute]:
    """The routes for monitoring; the first two need no key."""
    readiness = Readiness(service.models)

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> JSONResponse:
        if service.draining.is_set():
            return JSONResponse({"status": "the server is shutting down"}, 503)
        verdict = await readiness.verdict()
        return JSONResponse({"status": verdict.status}, 200 if verdict.ready else 503)

    async def metrics(request: Request) -> Response:
        _check_may_see(service, request)
        return Response(service.gate.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/health", health), Route("/ready", ready), Route("/metrics", metrics)]


def _check_may_see(service: Service, request: Request) -> None:
    """Raise :class:`Refusal` if the client may not see the metrics."""
    settings, gate = service.settings, service.gate
    if settings.metrics_open:
        return
    if gate.keys is not None:
        gate.identify(header_key(request.scope), peer_address(request.scope))
    elif not _is_this_machine(settings, request):
        raise Refusal(
            "forbidden",
            "metrics are shown to this machine alone, and to nobody behind a proxy: expected "
            "--metrics-open, or --keys and a key",
        )


def _is_this_machine(settings: ServerSettings, request: Request) -> bool:
    """Whether the request comes from this machine, not through a proxy on it."""
    proxied = settings.uds is not None or bool(settings.forwarded_allow_ips)
    tells_of_proxy = any(
        name in PROXY_HEADERS or name.startswith("x-forwarded-") for name in request.headers
    )
    return not proxied and not tells_of_proxy and is_loopback(peer_address(request.scope))
