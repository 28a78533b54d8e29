"""Turns the events of live sessions into the events of conversation items.

Items are completed in the order of their audio. An item ends at a pause (with turn detection) or
where the client commits.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from quest22.records import LiveEvent
from quest22.server.openai.realtime.event_sender import EventSender
from quest22.server.openai.realtime.item import Item, logprobs
from quest22.server.openai.realtime.settings import SessionSettings

TRANSCRIPTION = "conversation.item.input_audio_transcription"


class Conversation:
    """The items of one session; times are in seconds since the session's first audio."""

    def __init__(self, event_sender: EventSender, *, is_beta: bool) -> None:
        self._events = event_sender
        self._is_beta = is_beta
        self._items: deque[Item] = deque()
        self._previous: str | None = None
        self._end_s = 0.0

    # Called for the client's events.

    async def commit(self, end_s: float, *, is_empty: bool) -> None:
        """End the open item, or create one for the audio since the last item.

        ``is_empty``: no audio has been fed since the previous commit.
        """
        item = self._items[-1] if self._items else None
        if item is None or item.committed:
            item = Item(self._end_s)
            self._items.append(item)
        item.by_client, item.is_empty, item.end_s = True, is_empty, end_s
        await self._commit(item)
        await self._complete_empty_items()

    async def discard(self, end_s: float) -> None:
        """Discard the open item; the next one starts at ``end_s`` or later."""
        self._end_s = end_s
        if self._items and not self._items[-1].committed:
            item = self._items.pop()
            if item.announced and not item.stopped:
                await self._emit_speech_stopped(item, end_s)

    @property
    def is_ending(self) -> bool:
        """Whether a turn that the server ended is still waiting for its text."""
        return bool(self._items) and self._items[0].committed and not self._items[0].by_client

    # Called for the live session's events.

    async def speech_started(self, at_s: float) -> None:
        """Speech starts, and with it a turn."""
        item = self._item()
        item.stopped = False
        if not item.committed and not item.announced:
            item.announced, item.start_s = True, at_s
            await self._events.emit(
                "input_audio_buffer.speech_started", audio_start_ms=_ms(at_s), item_id=item.id
            )

    async def speech_stopped(self, at_s: float) -> None:
        """Speech stops, and with it the turn."""
        item = self._item()
        item.stopped = True
        if not item.committed:
            item.end_s = at_s
            item.committed = True
            await self._emit_speech_stopped(item, at_s)
            await self._commit(item)

    async def add_text(self, event: LiveEvent, settings: SessionSettings, offset_s: float) -> None:
        """Send the words of a segment that are new and will not change."""
        item = self._item()
        text, words = item.take(event)
        more = {"logprobs": logprobs(words)} if settings.has_logprobs else {}
        if text:
            await self._emit_transcription(item, "delta", delta=text, **more)
        if event.type != "final":
            return
        if event.words and not self._is_beta:
            await self._emit_segment(item, event, offset_s)
        if item.stopped and not item.by_client:
            await self._complete(item, settings)

    async def flushed(self, settings: SessionSettings) -> None:
        """The text of all audio before the client's commit has been sent."""
        if self._items and self._items[0].by_client:
            await self._complete(self._items[0], settings)

    async def fail(self, reason: str) -> None:
        """Report all open items as failed."""
        items, self._items = self._items, deque()
        for item in items:
            if item.announced and not item.stopped and not item.committed:
                await self._emit_speech_stopped(item, item.start_s)
            if not item.committed:
                item.end_s = item.start_s
                await self._commit(item)
            error = {"type": "server_error", "code": "transcription_failed", "message": reason}
            await self._emit_transcription(item, "failed", error={**error, "param": None})

    async def finish(self, end_s: float, settings: SessionSettings) -> None:
        """The audio has ended and all text has been sent: complete the remaining items."""
        while self._items:
            item = self._items[0]
            if not item.committed:
                item.end_s = end_s
                await self._commit(item)
            await self._complete(item, settings)

    # Events.

    def _item(self) -> Item:
        if not self._items:
            self._items.append(Item(self._end_s))
        return self._items[0]

    async def _commit(self, item: Item) -> None:
        item.committed = True
        self._end_s = max(self._end_s, item.end_s)
        previous, self._previous = self._previous, item.id
        await self._events.emit(
            "input_audio_buffer.committed", previous_item_id=previous, item_id=item.id
        )
        for kind in ("created",) if self._is_beta else ("added", "done"):
            await self._events.emit(
                f"conversation.item.{kind}", previous_item_id=previous, item=item.fields()
            )

    async def _complete(self, item: Item, settings: SessionSettings) -> None:
        await self._send_completed(item, settings)
        await self._complete_empty_items(settings)

    async def _send_completed(self, item: Item, settings: SessionSettings) -> None:
        self._items.remove(item)
        seconds = max(0.0, item.end_s - item.start_s)
        more = {"logprobs": logprobs(item.words)} if settings.has_logprobs else {}
        await self._emit_transcription(
            item,
            "completed",
            transcript=item.transcript,
            usage={"type": "duration", "seconds": round(seconds, 3)},
            languages=item.languages,
            **more,
        )

    async def _complete_empty_items(self, settings: SessionSettings | None = None) -> None:
        """Items without audio of their own are completed right after the item before them."""
        while self._items and self._items[0].by_client and self._items[0].is_empty:
            await self._send_completed(self._items[0], settings or SessionSettings())

    async def _emit_speech_stopped(self, item: Item, at_s: float) -> None:
        item.stopped = True
        await self._events.emit(
            "input_audio_buffer.speech_stopped", audio_end_ms=_ms(at_s), item_id=item.id
        )

    async def _emit_segment(self, item: Item, event: LiveEvent, offset_s: float) -> None:
        number, item.segments = item.segments, item.segments + 1
        await self._emit_transcription(
            item,
            "segment",
            id=f"{item.id}_{number}",
            text=event.text.strip(),
            speaker="A",
            start=round(offset_s + event.words[0].start_s, 3),
            end=round(offset_s + event.words[-1].end_s, 3),
        )

    async def _emit_transcription(self, item: Item, kind: str, **fields: Any) -> None:
        await self._events.emit(
            f"{TRANSCRIPTION}.{kind}", item_id=item.id, content_index=0, **fields
        )


def _ms(seconds: float) -> int:
    return round(1000 * seconds)
