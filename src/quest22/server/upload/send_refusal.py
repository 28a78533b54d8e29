"""Refuses an upload in such a way that a client that is still sending reads the response."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope, Send

from quest22.server.upload.body import Body


async def send_refusal(response: Response, body: Body | None, scope: Scope, send: Send) -> None:
    """Send the response, then keep receiving for a while.

    A client that is cut off while sending sees a broken connection instead of the response. A
    client that waits for permission to send the body (``Expect``) sends nothing more.
    """
    start = {"type": "http.response.start", "status": response.status_code}
    await send({**start, "headers": response.raw_headers})
    sends = body is not None and not body.ended and "expect" not in Headers(scope=scope)
    await send({"type": "http.response.body", "body": response.body, "more_body": sends})
    if sends and body is not None:
        await body.linger()
        await send({"type": "http.response.body", "body": b""})
