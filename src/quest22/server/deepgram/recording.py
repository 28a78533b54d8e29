"""``POST /v1/listen``: a recording, or the address of one, and its transcript in one answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from quest22.records import Media, Transcript
from quest22.server.access.credentials import TOKEN_OR_BEARER, header_key, peer_address
from quest22.server.access.gate import Admission
from quest22.server.deepgram.channels import split
from quest22.server.deepgram.errors import deepgram_refused, request_id_header
from quest22.server.deepgram.naming import RequestName, begin_request, request_metadata
from quest22.server.deepgram.parameters import Parameters
from quest22.server.deepgram.query import Query
from quest22.server.deepgram.raw_head import head_of
from quest22.server.deepgram.response import Layout, results
from quest22.server.fetch import fetched
from quest22.server.models import ServedModel
from quest22.server.refusal import Refusal, server_failed, shutting_down
from quest22.server.service import Service
from quest22.server.upload.body import Body, ClientGoneError
from quest22.server.upload.growing_file import GrowingFile
from quest22.server.upload.receiving import receiving
from quest22.server.upload.refusing import send_refusal

JSON = "application/json"
MAX_JSON_BYTES = 1 << 16

_log = logging.getLogger("quest22.server")


@dataclass(slots=True)
class _Request:
    """One request; ``sha256`` is of all the sound that has come."""

    name: RequestName
    parameters: Parameters
    layout: Layout
    admission: Admission
    sha256: Any = field(default_factory=hashlib.sha256)

    def options(self) -> dict[str, Any]:
        """As :class:`quest22.Transcriber` calls them."""
        return {**self.parameters.options(), "word_timestamps": True}


class RecordingEndpoint:
    """An ASGI application: the recording is decoded while it still comes."""

    def __init__(self, service: Service) -> None:
        self._service = service
        # They wait for uploads: threads that others need must not.
        self._splitting = ThreadPoolExecutor(service.settings.max_requests, "channels")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, body = begin_request(), None
        try:
            headers = Headers(scope=scope)
            key = header_key(scope, TOKEN_OR_BEARER)
            caller = self._service.gate.identify(key, peer_address(scope))
            query = Query(parse_qsl(scope["query_string"].decode("latin-1"), True))
            parameters = Parameters.of(query, self._service.models.names)
            layout = Layout.of(query)
            body = Body.of(scope, receive, caller.limits.max_upload_bytes)
            with self._service.gate.admit(caller, "file") as admission:
                request = _Request(name, parameters, layout, admission)
                found = await self._transcribed(request, body, headers.get("content-type", ""))
            response = JSONResponse(found, headers=request_id_header(name.identifier))
        except ClientGoneError:
            return
        except Refusal as refusal:
            await send_refusal(deepgram_refused(refusal, name.identifier), body, scope, send)
            return
        except Exception:
            _log.exception("%s: the request has failed", name.identifier)
            response = deepgram_refused(server_failed(name.identifier), name.identifier)
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
        most = None if stated is None else stated + len(head_of(request.parameters.sound, b""))
        async with (
            self._service.models.borrow(request.parameters.model) as model,
            receiving(body, _headed(request, pieces, stated), most) as file,
        ):
            heard = await self._heard(request, model, file)
        parameters = request.parameters
        metadata = request_metadata(
            request.name,
            model,
            parameters,
            request.sha256.hexdigest(),
            max(each.duration_s for each in heard),
            len(heard),
        )
        return {
            "metadata": metadata,
            "results": results(heard, request.layout, parameters.formatting()),
        }

    async def _heard(
        self, request: _Request, model: ServedModel, file: GrowingFile
    ) -> list[Transcript]:
        """The transcript of all channels together, or of each."""
        if not request.parameters.multichannel:
            return [await self._of_one(request, model, file.open)]
        audio, most_s = model.pipeline.settings.audio, request.admission.limits.max_audio_s
        with ExitStack() as stack:
            splitting = asyncio.get_running_loop().run_in_executor
            channels = await splitting(self._splitting, split, file, audio, most_s)
            for channel in channels:
                stack.callback(channel.close)
            return [await self._of_one(request, model, channel.open) for channel in channels]

    async def _of_one(self, request: _Request, model: ServedModel, media: Media) -> Transcript:
        events = self._service.transcribe(
            request.admission, model, media, "recording", request.options()
        )
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Transcript):
                    return event
        raise shutting_down()


async def _headed(
    request: _Request, pieces: AsyncIterator[bytes], stated: int | None
) -> AsyncIterator[bytes]:
    """The recording as it comes, behind the header that it lacks."""
    empty = True
    async for data in pieces:
        if empty:
            yield head_of(request.parameters.sound, data, stated)
        empty = False
        request.sha256.update(data)
        yield data
    if empty:
        raise Refusal("bad_request", "the body is empty: expected sound, or JSON with a url")


async def _url(body: Body) -> str:
    """The address in a small JSON body."""
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
        raise Refusal("bad_request", "url: expected an address")
    return url
