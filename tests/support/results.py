"""Transcripts and failures for tests of what comes after the engine."""

from __future__ import annotations

from typing import Any

from quest22.records import Failure, Origin, Segment, Transcript

ORIGIN = Origin("org/speech", "0123abc", "data/a.parquet", 7)


def transcript(name: str = "talk.mp3", text: str = " Hello there.", **changes: Any) -> Transcript:
    """A transcript of 4.5 s with one segment for each line of its text."""
    lines = text.split("\n")
    seconds = 4.5 / len(lines)
    values: dict[str, Any] = {
        "key": name,
        "name": name,
        "text": text.replace("\n", ""),
        "language": "en",
        "language_probability": 0.98765432,
        "duration_s": 4.5,
        "segments": tuple(
            Segment(index * seconds, (index + 1) * seconds, line, tokens=(1, 2))
            for index, line in enumerate(lines)
        ),
        "origin": ORIGIN,
    }
    return Transcript(**{**values, **changes})


def failure(name: str = "bad.mp3") -> Failure:
    return Failure(name, name, "audio", "no sound in it", ORIGIN)
