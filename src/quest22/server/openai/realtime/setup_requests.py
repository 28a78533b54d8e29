"""Helps the HTTP routes that set up sessions: read small bodies, answer errors as OpenAI does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from quest22.server.openai.errors import openai_error_response
from quest22.server.openai.realtime.fields import EventError
from quest22.server.refusal import Refusal

BODY_TIMEOUT_S = 15.0
"""A body must arrive within this time."""

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


def with_openai_errors(handler: Handler) -> Handler:
    """Wrap a handler: its errors become OpenAI's error responses."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            return openai_error_response(refusal)
        except EventError as error:
            parameter = error.parameter or None
            return openai_error_response(Refusal("bad_request", error.message, parameter=parameter))

    return answer


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body; raises :class:`Refusal` if it is too large or too slow."""
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for part in request.stream():
                data += part
                if len(data) > max_bytes:
                    raise Refusal("bad_request", f"the body has more than {max_bytes} bytes")
    except TimeoutError as exc:
        raise Refusal("bad_request", f"the body took longer than {BODY_TIMEOUT_S:.0f} s") from exc
    except ClientDisconnect as exc:
        raise Refusal("bad_request", "the client disconnected before the end of the body") from exc
    return bytes(data)


def json_object(data: bytes | str, name: str) -> dict[str, Any]:
    """A JSON object; empty data is an empty object. Raises :class:`Refusal`."""
    if not data.strip():
        return {}
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise Refusal("bad_request", f"{name} is not JSON: {exc}", parameter=name) from exc
    if not isinstance(value, dict):
        raise Refusal("bad_request", f"{name}: expected a JSON object", parameter=name)
    return value
