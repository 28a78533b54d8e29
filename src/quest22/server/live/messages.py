"""The messages that ``/live`` sends, as JSON objects; see docs/server-page.md."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from typing_extensions import TypedDict

from quest22.sink.formats.live_events import LiveEventFields


class ReadyMessage(TypedDict):
    """The first message: sound may be sent."""

    type: Literal["ready"]
    model: str


class EndMessage(TypedDict):
    """The last message, after all text."""

    type: Literal["end"]
    duration: Annotated[float, "Seconds of sound."]
    language: Annotated[str | None, "Code of the language, such as `en`."]


class ErrorMessage(TypedDict):
    """What a client did wrong, or what failed."""

    type: Literal["error"]
    message: str


LiveMessage: TypeAlias = ReadyMessage | LiveEventFields | EndMessage | ErrorMessage
