"""Serves ``/`` and the page's files under a strict content security policy."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from quest22.server.page.files import PageFile, PageFiles
from quest22.server.service import Service

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "manifest-src 'self'",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Only this server's files, nothing inline, no frames."""

SECURITY_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

REVALIDATE = "no-cache"
CACHE_FOREVER = "public, max-age=31536000, immutable"


def routes(service: Service) -> list[BaseRoute]:
    """The page itself needs no key: it asks the user for one if the server needs it."""
    del service
    page = PageFiles.read()

    async def index(request: Request) -> Response:
        return _served(request, page.index, REVALIDATE)

    async def file(request: Request) -> Response:
        found = page.files.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("not found", 404, SECURITY_HEADERS)
        known = request.path_params["version"] == page.version
        return _served(request, found, CACHE_FOREVER if known else REVALIDATE)

    return [Route("/", index), Route("/page/{version}/{name:path}", file)]


def _served(request: Request, file: PageFile, caching: str) -> Response:
    headers = {**SECURITY_HEADERS, "ETag": file.tag, "Cache-Control": caching}
    known = (each.strip() for each in request.headers.get("if-none-match", "").split(","))
    if file.tag in (each.removeprefix("W/") for each in known):
        return Response(status_code=304, headers=headers)
    return Response(file.data, media_type=file.media_type, headers=headers)
