"""``/v1/audio/transcriptions`` and ``/v1/audio/translations``."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack, aclosing

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from quest22.records import Partial, Task, Transcript
from quest22.server.access.credentials import header_key, peer_address
from quest22.server.access.gate import AudioUsage
from quest22.server.openai.answer import Answer
from quest22.server.openai.event_stream import TranscriptEvents
from quest22.server.openai.formats import formatted
from quest22.server.openai.parameters import AudioRequest, check_field, read_request
from quest22.server.operations.request_context import current_request
from quest22.server.refusal import Refusal, server_failed, shutting_down
from quest22.server.service import Service
from quest22.server.upload.body import Body, ClientGoneError
from quest22.server.upload.form import MAX_FORM_BYTES, Form, receiving_form
from quest22.server.upload.growing_file import GrowingFile
from quest22.server.upload.receiving import concurrently

_log = logging.getLogger("quest22.server")

FILE, MODEL = "file", "model"


def routes(service: Service) -> list[BaseRoute]:
    """The two routes."""
    return [
        Route("/v1/audio/transcriptions", AudioEndpoint(service, "transcribe"), methods=["POST"]),
        Route("/v1/audio/translations", AudioEndpoint(service, "translate"), methods=["POST"]),
    ]


class AudioEndpoint:
    """An ASGI application that may start to respond while the request is arriving."""

    def __init__(self, service: Service, task: Task) -> None:
        self._service = service
        self._task: Task = task

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer, body = Answer(scope, send), None
        try:
            caller = self._service.gate.identify(header_key(scope), peer_address(scope))
            max_bytes = caller.limits.max_upload_bytes + MAX_FORM_BYTES
            body = Body.of(scope, receive, max_bytes)
            with self._service.gate.admit(caller, "file") as admission:
                content_type = Headers(scope=scope).get("content-type", "")
                async with receiving_form(
                    body, content_type, FILE, check_field, self._service.space
                ) as form:
                    await form.begun(MODEL)
                    usage = AudioUsage(admission)
                    if not await self._answered(form, usage, answer):
                        _log.debug(
                            "%s: fields came late: it begins again", current_request().request_id
                        )
                        await form.complete.wait()  # so it never begins a third time
                        await self._answered(form, usage, answer)
        except ClientGoneError:
            _log.info(
                "%s: the client has gone before it was answered", current_request().request_id
            )
        except Refusal as refusal:
            await answer.refuse(refusal, body)
        except Exception:
            _log.exception("%s: the request has failed", current_request().request_id)
            await answer.refuse(server_failed(current_request().request_id), body)

    async def _answered(self, form: Form, usage: AudioUsage, answer: Answer) -> bool:
        """Respond with the fields received so far; False if more have arrived meanwhile."""
        request = read_request(form.fields, self._task)
        file = _recording(form)
        attempt = _Attempt(request, answer)
        async with AsyncExitStack() as stack:
            if request.stream:
                await stack.enter_async_context(concurrently(answer.keep_alive()))
            model = await stack.enter_async_context(self._service.models.borrow(request.model))
            name = f"recording{form.suffix}"
            events = self._service.transcribe(usage, model, file.open, name, request.options)
            await stack.enter_async_context(aclosing(events))
            async for event in events:
                if isinstance(event, Transcript):
                    await form.complete.wait()
                if read_request(form.fields, self._task) != request:
                    attempt.refuse_change()
                    return False
                await attempt.send(event)
        await attempt.end()
        return True


class _Attempt:
    """One attempt to respond, with the fields received so far."""

    def __init__(self, request: AudioRequest, answer: Answer) -> None:
        self._request = request
        self._answer = answer
        self._events = TranscriptEvents(request)
        self._transcript: Transcript | None = None

    async def send(self, event: Partial | Transcript) -> None:
        if isinstance(event, Transcript):
            self._transcript = event
        elif self._request.stream:
            for each in self._events.progressed(event):
                await self._answer.event(each)

    async def end(self) -> None:
        if self._transcript is None:
            raise shutting_down()
        if self._request.stream:
            for each in self._events.ended(self._transcript):
                await self._answer.event(each)
            await self._answer.end()
        else:
            await self._answer.whole(*formatted(self._transcript, self._request))

    def refuse_change(self) -> None:
        """Raise :class:`Refusal` if text has been sent already."""
        if self._events.begun:
            raise Refusal(
                "bad_request",
                "fields came after the file, and text had been sent by then: with stream=true, "
                "put the file last",
            )


def _recording(form: Form) -> GrowingFile:
    if form.file is None:
        raise Refusal(
            "bad_request",
            f"the recording is missing: expected it as the part {FILE!r} of the form",
            parameter=FILE,
        )
    return form.file
