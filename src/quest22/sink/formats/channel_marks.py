"""Marks which channel of a recording a caption is of, as WhisperX marks speakers.

Captions are laid out channel by channel, so that none joins what different people say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from quest22.records import Segment, Transcript


class _Timed(Protocol):
    @property
    def start_s(self) -> float: ...


Timed = TypeVar("Timed", bound=_Timed)


def has_channels(transcript: Transcript) -> bool:
    """Whether its channels were transcribed each for itself, and one has text."""
    return any(segment.channel is not None for segment in transcript.segments)


def by_channel(transcript: Transcript) -> Iterator[tuple[str, Sequence[Segment]]]:
    """The mark of each channel, and its segments in order."""
    channels = [each.channel or 0 for each in transcript.segments]
    channels += [each.channel or 0 for each in transcript.dropped]
    count = 1 + max(channels, default=0)
    for channel in range(count):
        segments = [each for each in transcript.segments if (each.channel or 0) == channel]
        yield f"[{channel_name(channel, count)}]: ", segments


def channel_name(channel: int, count: int) -> str:
    """What one of ``count`` channels is called.

    >>> channel_name(1, 2), channel_name(1, 6)
    ('RIGHT', 'CHANNEL 1')
    """
    return ("LEFT", "RIGHT")[channel] if count <= 2 else f"CHANNEL {channel}"


def in_order(captions: Iterable[Timed]) -> list[Timed]:
    """Captions by their starts; at the same time, those of the first channel first."""
    return sorted(captions, key=lambda caption: caption.start_s)
