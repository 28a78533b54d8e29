"""``POST /v1/listen``: transcribes a recording from the body or from a URL."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from quest22.records import Media, Transcript
from quest22.server.access.credentials import TOKEN_OR_BEARER, header_key, peer_address
from quest22.server.access.gate import Admission, AudioUsage
from quest22.server.deepgram.channels import count_channels
from quest22.server.deepgram.errors import deepgram_error_response, request_id_header
from quest22.server.deepgram.file_headers import missing_header
from quest22.server.deepgram.metadata import RequestId, new_request_id, request_metadata
from quest22.server.deepgram.parameters import Parameters
from quest22.server.deepgram.query import Query
from quest22.server.deepgram.response import Layout, results
from quest22.server.fetch import fetched
from quest22.server.models import ServedModel
from quest22.server.refusal import Refusal, server_failed, shutting_down
from quest22.server.service import Service
from quest22.server.upload.body import Body, ClientGoneError
from quest22.server.upload.growing_file import GrowingFile
from quest22.server.upload.receiving import receiving
from quest22.server.upload.send_refusal import send_refusal

JSON = "application/json"
MAX_JSON_BYTES = 1 << 16

_log = logging.getLogger("quest22.server")


@dataclass(slots=True)
class _Request:
    """One request; ``sha256`` covers all audio received so far."""

    id: RequestId
    parameters: Parameters
    layout: Layout
    admission: Admission
    sha256: Any = field(default_factory=hashlib.sha256)

    def options(self) -> dict[str, Any]:
        """Options named as in :class:`quest22.Transcriber`."""
        return {**self.parameters.options(), "word_timestamps": True}


class RecordingEndpoint:
    """An ASGI application that decodes a recording while it arrives."""

    def __init__(self, service: Service) -> None:
        self._service = service
        # Counting channels waits for uploads, so it must not occupy the shared worker threads.
        self._counting = ThreadPoolExecutor(service.settings.max_requests, "channels")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id, body = new_request_id(), None
        try:
            headers = Headers(scope=scope)
            key = header_key(scope, TOKEN_OR_BEARER)
            caller = self._service.gate.identify(key, peer_address(scope))
            query = Query(parse_qsl(scope["query_string"].decode("latin-1"), True))
            parameters = Parameters.of(query, self._service.models.names)
            layout = Layout.of(query)
            body = Body.of(scope, receive, caller.limits.max_upload_bytes)
            with self._service.gate.admit(caller, "file") as admission:
                request = _Request(request_id, parameters, layout, admission)
                found = await self._transcribed(request, body, headers.get("content-type", ""))
            response = JSONResponse(found, headers=request_id_header(request_id.value))
        except ClientGoneError:
            return
        except Refusal as refusal:
            await send_refusal(
                deepgram_error_response(refusal, request_id.value), body, scope, send
            )
            return
        except Exception:
            _log.exception("%s: the request failed", request_id.value)
            response = deepgram_error_response(server_failed(request_id.value), request_id.value)
            await send_refusal(response, body, scope, send)
            return
        await response(scope, receive, send)

    async def _transcribed(
        self, request: _Request, body: Body, content_type: str
    ) -> dict[str, Any]:
        max_bytes = request.admission.limits.max_upload_bytes
        pieces: AsyncIterator[bytes] = aiter(body)
        stated = body.stated_bytes
        if content_type.partition(";")[0].strip().lower() == JSON:
            url = await _url(body)
            pieces, stated = fetched(url, self._service.settings, max_bytes), None
        expected = (
            None if stated is None else stated + len(missing_header(request.parameters.audio, b""))
        )
        async with (
            self._service.models.borrow(request.parameters.model) as model,
            receiving(
                body, _with_header(request, pieces, stated), self._service.space, expected
            ) as file,
        ):
            transcripts = await self._transcripts(request, model, file)
        parameters = request.parameters
        metadata = request_metadata(
            request.id,
            model,
            parameters,
            request.sha256.hexdigest(),
            max(each.duration_s for each in transcripts),
            len(transcripts),
        )
        return {
            "metadata": metadata,
            "results": results(transcripts, request.layout, parameters.formatting()),
        }

    async def _transcripts(
        self, request: _Request, model: ServedModel, file: GrowingFile
    ) -> list[Transcript]:
        """One transcript, or with ``multichannel`` one per channel."""
        if not request.parameters.multichannel:
            return [await self._of_one(request, model, file.open)]
        audio, most_s = model.pipeline.settings.audio, request.admission.limits.max_audio_s
        counting = asyncio.get_running_loop().run_in_executor
        count = await counting(self._counting, count_channels, file, audio, most_s)
        return [await self._of_one(request, model, file.open, each) for each in range(count)]

    async def _of_one(
        self, request: _Request, model: ServedModel, media: Media, channel: int | None = None
    ) -> Transcript:
        usage = AudioUsage(request.admission)
        events = self._service.transcribe(
            usage, model, media, "recording", request.options(), channel=channel
        )
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Transcript):
                    return event
        raise shutting_down()


async def _with_header(
    request: _Request, pieces: AsyncIterator[bytes], stated: int | None
) -> AsyncIterator[bytes]:
    """The recording as it arrives, preceded by a missing header."""
    empty = True
    async for data in pieces:
        if empty:
            yield missing_header(request.parameters.audio, data, stated)
        empty = False
        request.sha256.update(data)
        yield data
    if empty:
        raise Refusal("bad_request", "the body is empty: expected audio, or JSON with a url")


async def _url(body: Body) -> str:
    """The URL in a small JSON body."""
    text = bytearray()
    async for data in body:
        text += data
        if len(text) > MAX_JSON_BYTES:
            raise Refusal("too_large", f"the JSON is larger than {MAX_JSON_BYTES >> 10} KiB")
    try:
        url = json.loads(text)["url"]
    except (ValueError, RecursionError, KeyError, TypeError) as exc:
        raise Refusal("bad_request", 'expected JSON such as {"url": "https://…"}') from exc
    if not isinstance(url, str):
        raise Refusal("bad_request", "url: expected a string")
    return url
