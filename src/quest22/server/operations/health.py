"""``/health``: the process answers. ``/ready``: a window is transcribed. ``/metrics``: counts."""

from __future__ import annotations

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from quest22.server.access.credentials import header_key, peer_address
from quest22.server.access.origin_check import is_loopback
from quest22.server.operations.readiness import Readiness
from quest22.server.operations.request_log import UNIX
from quest22.server.refusal import Refusal
from quest22.server.service import Service


def routes(service: Service) -> list[BaseRoute]:
    """The addresses that watchers ask; the first two need no key."""
    readiness = Readiness(service.models)

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> JSONResponse:
        if service.draining.is_set():
            return JSONResponse({"status": "the server is shutting down"}, 503)
        verdict = await readiness.verdict()
        return JSONResponse({"status": verdict.status}, 200 if verdict.ready else 503)

    async def metrics(request: Request) -> Response:
        if not _may_see(service, request):
            service.gate.identify(header_key(request.scope), peer_address(request.scope))
            if service.gate.keys is None:
                raise Refusal("forbidden", "metrics are shown to this machine: see --metrics-open")
        return Response(service.gate.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/health", health), Route("/ready", ready), Route("/metrics", metrics)]


def _may_see(service: Service, request: Request) -> bool:
    """Whether metrics are shown without a key."""
    forwarded = "x-forwarded-for" in request.headers  # a proxy on this machine speaks for others
    peer = peer_address(request.scope)
    is_near = peer == UNIX or is_loopback(peer)
    return service.settings.metrics_open or (is_near and not forwarded)
