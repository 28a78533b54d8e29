"""The JSON of a live event: the same for Python, the command line and the server."""

from __future__ import annotations

from typing import Any

from quest22.records import LiveEvent, LiveWord


def event_fields(event: LiveEvent) -> dict[str, Any]:
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


def _word_fields(word: LiveWord) -> dict[str, Any]:
    return {
        "word": word.text,
        "start": round(word.start_s, 3),
        "end": round(word.end_s, 3),
        "probability": round(word.probability, 4),
        "stable": word.stable,
    }
