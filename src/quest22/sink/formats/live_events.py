"""The JSON of a live event: the same for Python, the command line and the server."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import NotRequired, TypedDict

from quest22.records import LiveEvent, LiveEventType, LiveWord
from quest22.sink.row_types import Channel, Language


class LiveWordFields(TypedDict):
    """A word of a live session."""

    word: Annotated[str, "The word, with the space before it where one belongs."]
    start: Annotated[float, "Seconds from the beginning of the session's sound."]
    end: Annotated[float, "Seconds from the beginning of the session's sound."]
    probability: Annotated[float, "Mean probability of its tokens."]
    stable: Annotated[bool, "True: it stays as it is in every later event."]


class LiveEventFields(TypedDict):
    """What is known of a segment of a live session; replaces the segment's earlier events."""

    type: Annotated[LiveEventType, "`final`: nothing of the segment changes any more."]
    segment: Annotated[int, "Number of the segment, from 0."]
    revision: Annotated[int, "Number of the event in its segment, from 0."]
    text: Annotated[str, "The whole segment so far."]
    words: Annotated[list[LiveWordFields], "They make up the text; the stable ones come first."]
    audio_end: Annotated[float, "Seconds of sound that were heard."]
    latency_ms: Annotated[
        int | None,
        "Since the end of the newest word arrived; null if sound came faster than it is spoken.",
    ]
    language: Language
    channel: NotRequired[Annotated[Channel, "With `quest22 live --channel each`."]]
    source: NotRequired[Annotated[str, "Who speaks, where `quest22 live` hears several."]]


def event_fields(event: LiveEvent) -> LiveEventFields:
    """A live event as JSON values; see :class:`quest22.records.LiveEvent`.

    Times are in seconds, rounded to milliseconds, ``latency_ms`` in whole milliseconds.
    """
    latency_s = event.latency_s
    return {
        "type": event.type,
        "segment": event.segment,
        "revision": event.revision,
        "text": event.text,
        "words": [_word_fields(word) for word in event.words],
        "audio_end": round(event.audio_end_s, 3),
        "latency_ms": None if latency_s is None else round(1000 * latency_s),
        "language": event.language,
    }


def _word_fields(word: LiveWord) -> LiveWordFields:
    return {
        "word": word.text,
        "start": round(word.start_s, 3),
        "end": round(word.end_s, 3),
        "probability": round(word.probability, 4),
        "stable": word.stable,
    }
