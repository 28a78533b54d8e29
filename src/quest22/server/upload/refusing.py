"""Sends the reason why an upload is refused, so that whoever still sends it reads it."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope, Send

from quest22.server.upload.body import Body


async def send_refusal(response: Response, body: Body | None, scope: Scope, send: Send) -> None:
    """Answer; then take in what is still being sent, for a while.

    A client that is cut off while it sends sees a broken connection, and no reason. One that waits
    to be asked for the body (``Expect``) sends none.
    """
    start = {"type": "http.response.start", "status": response.status_code}
    await send({**start, "headers": response.raw_headers})
    sends = body is not None and not body.ended and "expect" not in Headers(scope=scope)
    await send({"type": "http.response.body", "body": response.body, "more_body": sends})
    if sends and body is not None:
        await body.linger()
        await send({"type": "http.response.body", "body": b""})
