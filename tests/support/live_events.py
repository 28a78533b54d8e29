"""Live events as a session gives them."""

from __future__ import annotations

from typing import Any

from quest22.records import LiveEvent, LiveWord

WORD_S = 0.5


def words(text: str, start_s: float = 0.0, stable: int | None = None) -> tuple[LiveWord, ...]:
    """Words of half a second each; the first ``stable`` are, or all."""
    found = text.split()
    return tuple(
        LiveWord(
            start_s + WORD_S * at,
            start_s + WORD_S * (at + 1),
            f" {word}",
            0.9,
            stable is None or at < stable,
        )
        for at, word in enumerate(found)
    )


def event(
    kind: Any, segment: int, text: str, stable: int | None = None, start_s: float = 0.0, **more: Any
) -> LiveEvent:
    """An event of a segment that begins at ``start_s``."""
    stable = {"final": None, "interim": stable or 0}.get(kind, stable)
    made = words(text, start_s, stable)
    end_s = made[-1].end_s if made else start_s
    values = {"revision": 0, "audio_end_s": end_s + 0.3, "language": "en"} | more
    return LiveEvent(kind, segment, text=f" {text}" if text else "", words=made, **values)


def final(segment: int, text: str, start_s: float = 0.0, **more: Any) -> LiveEvent:
    return event("final", segment, text, start_s=start_s, **more)
