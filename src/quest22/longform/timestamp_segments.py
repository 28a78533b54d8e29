"""Splits a window's tokens into segments, and finds where the next window begins.

Follows ``transcribe`` of openai/whisper. Each pair of timestamps ends a segment and begins the
next. Text after the last pair is incomplete: the next window begins there. A single timestamp at
the end means that there is no more speech in this window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quest22.decoding.timestamps import pair_timestamps
from quest22.longform.window_passes import FRAMES_PER_TIMESTAMP

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class TimestampSegment:
    """Tokens between two timestamps, themselves included; times in frames of the window."""

    start: int
    end: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TimestampSegments:
    """A window's segments, and by how many frames to advance.

    ``ended_alone``: the window ends with a single timestamp.
    """

    segments: tuple[TimestampSegment, ...]
    advance: int
    ended_alone: bool


def timestamp_segments(tokens: Tokens, timestamp_begin: int, frames: int) -> TimestampSegments:
    """Split the tokens of a window that has ``frames`` frames of audio."""
    pairs, ended_alone = pair_timestamps(tokens, timestamp_begin)
    if not pairs:
        whole = _whole(tokens, timestamp_begin, frames)
        return TimestampSegments((whole,), frames, ended_alone)
    ends = [at + 1 for at in pairs]
    if ended_alone:
        ends.append(len(tokens))
    parts = [tuple(tokens[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    segments = tuple(
        TimestampSegment(_frame(part[0], timestamp_begin), _frame(part[-1], timestamp_begin), part)
        for part in parts
    )
    return TimestampSegments(segments, frames if ended_alone else segments[-1].end, ended_alone)


def _whole(tokens: Tokens, timestamp_begin: int, frames: int) -> TimestampSegment:
    """The whole window as one segment, up to its last timestamp if there is one."""
    times = [_frame(token, timestamp_begin) for token in tokens if token >= timestamp_begin]
    return TimestampSegment(0, times[-1] if times and times[-1] else frames, tuple(tokens))


def _frame(token: int, timestamp_begin: int) -> int:
    return (token - timestamp_begin) * FRAMES_PER_TIMESTAMP
