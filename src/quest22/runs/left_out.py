"""What transcripts lack: sound that was left out, by reason, or damaged; and clips without text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from quest22.longform.hallucination import NO_SPEECH
from quest22.records import DroppedSegment, Transcript

SHORT_S = 1.0
"""A clip up to this long without text, of which nothing was dropped, may hold no word."""


@dataclass(slots=True)
class LeftOut:
    """Seconds of sound that were left out, by reason; and how many clips lack a text.

    Of ``damaged`` clips, ``missing_s`` of sound could not be read.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    without_text: int = 0
    damaged: int = 0
    missing_s: float = 0.0

    def add(self, transcript: Transcript) -> None:
        for reason, seconds in seconds_by_reason(transcript.dropped).items():
            self.seconds[reason] = self.seconds.get(reason, 0.0) + seconds
        self.without_text += lacks_text(transcript)
        self.damaged += bool(transcript.damage)
        self.missing_s += sum(place.end_s - place.start_s for place in transcript.damage)


def lacks_text(transcript: Transcript) -> bool:
    """Whether a clip has no text though speech was heard, or nothing says that there is none."""
    if transcript.text.strip():
        return False
    reasons = {segment.reason for segment in transcript.dropped}
    if reasons:
        return reasons != {NO_SPEECH}
    return transcript.duration_s > SHORT_S


def seconds_by_reason(dropped: Iterable[DroppedSegment]) -> dict[str, float]:
    """Seconds of a clip that were dropped, by reason; where spans overlap, they count once."""
    seconds: dict[str, float] = {}
    until_s: dict[str, float] = {}
    for segment in sorted(dropped, key=lambda each: each.start_s):
        reason = segment.reason
        start_s = max(segment.start_s, until_s.get(reason, 0.0))
        seconds[reason] = seconds.get(reason, 0.0) + max(segment.end_s - start_s, 0.0)
        until_s[reason] = max(segment.end_s, start_s)
    return seconds
