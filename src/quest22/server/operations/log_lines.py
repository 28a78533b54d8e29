"""The lines of ``quest22 serve --log json``, as types."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

LogTime: TypeAlias = Annotated[str, "In UTC, as `2026-01-31T12:00:00.000+00:00`."]
LogLevel: TypeAlias = Annotated[str, "`debug`, `info`, `warning`, `error` or `critical`."]


class RequestLine(TypedDict):
    """A request that has ended."""

    time: LogTime
    level: LogLevel
    event: Literal["request"]
    request_id: Annotated[str, "As in the header `x-request-id`; the client's own if it sent one."]
    caller: Annotated[str, "The name of the key, or the address; empty if refused before."]
    api: Annotated[
        str, "`openai`, `realtime`, `deepgram`, `live`, `wyoming`, `page` or `operations`."
    ]
    method: Annotated[str, "Of HTTP; `WS` for a websocket, `TCP` for Wyoming."]
    path: Annotated[str, "Without the query, at most 200 characters; `wyoming` for Wyoming."]
    status: Annotated[int, "Of HTTP, or the close code of a websocket."]
    audio_s: Annotated[float, "Seconds of accepted sound."]
    ms: Annotated[int, "Milliseconds from the request's beginning to its end."]
    reason: NotRequired[Annotated[str, "Why it failed; left out if it did not."]]


class MessageLine(TypedDict):
    """Any other message."""

    time: LogTime
    level: LogLevel
    event: Literal["message"]
    logger: Annotated[str, "Who says it, such as `quest22.server`."]
    message: str
    exception: NotRequired[Annotated[str, "A traceback; left out without one."]]


LogLine: TypeAlias = RequestLine | MessageLine
