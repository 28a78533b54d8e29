"""WebRTC calls: started by an HTTP request, then independent of it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

from quest22.server.access.gate import Admission, Caller
from quest22.server.openai.realtime.event_sender import Send
from quest22.server.openai.realtime.webrtc.call import Call, CallSession
from quest22.server.openai.realtime.webrtc.ice import ice_server
from quest22.server.openai.realtime.webrtc.offer import checked_offer
from quest22.server.openai.realtime.webrtc.peer import Peer
from quest22.server.refusal import Refusal
from quest22.server.service import Service

_log = logging.getLogger("quest22.server")


class PreparedSession(CallSession, Protocol):
    """The session of a call, before :meth:`prepare`."""

    async def prepare(self) -> None:
        """Load what the session needs; raises :class:`Refusal`."""
        ...


OpenSession = Callable[[Admission, Send], PreparedSession]
"""Creates the session of an admitted call."""


@dataclass(frozen=True, slots=True, eq=False)
class _OpenCall:
    caller: Caller
    task: asyncio.Task[None]


class Calls:
    """The open calls of one server; for use in one event loop.

    Raises :class:`UsageError` if the address of an ICE server is invalid.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open: dict[str, _OpenCall] = {}
        service.on_close.append(self._cancel_all)
        self._ice_servers = [ice_server(each) for each in service.settings.ice_servers]
        # aiortc logs every malformed packet; a peer must not fill the log.
        logging.getLogger("aiortc").setLevel(logging.ERROR)

    async def answer(
        self, caller: Caller, offer: bytes, open_session: OpenSession
    ) -> tuple[str, str]:
        """Admit a call and answer its offer; returns the call's name and the SDP answer.

        The call continues until either side ends it. Raises :class:`Refusal`.
        """
        settings = self._service.settings
        checked = checked_offer(offer, keep_addresses=bool(self._ice_servers))
        async with AsyncExitStack() as stack:
            admission = stack.enter_context(self._service.gate.admit(caller, "live"))
            peer = Peer(settings.host, self._ice_servers)
            stack.push_async_callback(peer.close)
            answer, track = await peer.answer(checked)
            call = Call(peer, self._service.gate.metrics.count_dropped, settings.session_idle_s)
            session = open_session(admission, call.send)
            stack.push_async_callback(session.close)
            await session.prepare()
            held = stack.pop_all()
        name = f"rtc_{secrets.token_hex(16)}"

        async def run() -> None:
            async with held, self._service.session_registered(call.finish):
                await call.run(track, session)

        task = asyncio.create_task(run(), name=name)
        self._open[name] = _OpenCall(caller, task)
        task.add_done_callback(lambda _: self._ended(name, call))
        return name, answer

    async def hang_up(self, caller: Caller, name: str) -> None:
        """End a call of this caller; raises :class:`Refusal` if the caller has no such call."""
        call = self._open.get(name)
        if call is None or call.caller.name != caller.name:
            raise Refusal("not_found", "no such call is open: it has ended or never existed")
        call.task.cancel()
        await asyncio.wait([call.task])

    def _ended(self, name: str, call: Call) -> None:
        task = self._open.pop(name).task
        if not task.cancelled() and task.exception() is not None:
            _log.error("a WebRTC call failed", exc_info=task.exception())
        if call.dropped_s:
            _log.warning("a WebRTC call dropped %.1f s of audio", call.dropped_s)

    def _cancel_all(self) -> None:
        for call in self._open.values():
            call.task.cancel()
