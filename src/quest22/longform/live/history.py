"""What the transcript of a session keeps of segments that have ended."""

from __future__ import annotations

from collections import deque

from quest22.longform.transcript import LanguageSpan
from quest22.records import DroppedSegment, Segment


class History:
    """The segments of the last ``kept_s`` seconds; those before them were told by events alone.

    So a session that lasts for weeks does not grow.
    """

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._segments: deque[Segment] = deque()
        self._dropped: deque[DroppedSegment] = deque()
        self._languages: dict[str | None, tuple[float, int]] = {}

    def add(self, segment: Segment) -> None:
        """Add the next segment."""
        self._segments.append(segment)
        share, length = self._languages.get(segment.language, (0.0, 0))
        samples = max(1, round(100 * (segment.end_s - segment.start_s)))
        share += segment.language_probability * samples
        self._languages[segment.language] = (share, length + samples)
        while self._segments[0].end_s < segment.end_s - self._kept_s:
            self._segments.popleft()

    def drop(self, dropped: DroppedSegment) -> None:
        """Add a stretch whose text was refused."""
        self._dropped.append(dropped)
        while self._dropped[0].end_s < dropped.end_s - self._kept_s:
            self._dropped.popleft()

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(self._segments)

    @property
    def dropped(self) -> tuple[DroppedSegment, ...]:
        return tuple(self._dropped)

    @property
    def languages(self) -> list[LanguageSpan]:
        """How long each language was spoken, and how sure it was."""
        return [
            LanguageSpan(language, share / length, length)
            for language, (share, length) in self._languages.items()
        ]
