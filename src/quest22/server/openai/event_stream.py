"""Converts a growing transcript to events; only text that will not change is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from quest22.records import Partial, Segment, Transcript
from quest22.server.openai.formats import (
    diarized_segment,
    done_fields,
    logprobs,
    verbose_segment,
)
from quest22.server.openai.parameters import AudioRequest

DELTA, DONE = "transcript.text.delta", "transcript.text.done"


class TranscriptEvents:
    """Creates ``transcript.text.delta``, ``.done`` and, in formats with segments, ``.segment``.

    The deltas, joined, are the text of the final event.
    """

    def __init__(self, request: AudioRequest) -> None:
        self._request = request
        self._sent = 0
        self._text = ""

    @property
    def begun(self) -> bool:
        """Whether any event has been sent."""
        return self._sent > 0

    def progressed(self, partial: Partial) -> Iterator[dict[str, Any]]:
        """What has been committed since the last call."""
        yield from self._segment_events(partial.committed)

    def ended(self, transcript: Transcript) -> Iterator[dict[str, Any]]:
        """The remaining text, and the final event."""
        yield from self._segment_events(transcript.segments)
        if rest := transcript.text[len(self._text) :]:  # the model gave no segments
            yield {"type": DELTA, "delta": rest}
        yield {"type": DONE, **done_fields(transcript, self._request)}

    def _segment_events(self, segments: Sequence[Segment]) -> Iterator[dict[str, Any]]:
        for index in range(self._sent, len(segments)):
            self._sent = index + 1
            segment = segments[index]
            if delta := self._delta(segments[: index + 1]):
                yield self._delta_event(index, segment, delta)
            if self._request.format == "diarized_json" and segment.text.strip():
                yield diarized_segment(index, segment)
            if self._request.format == "verbose_json":
                yield verbose_segment(index, segment, self._request)

    def _delta(self, segments: Sequence[Segment]) -> str:
        """The new text; trailing white space waits for more."""
        text = "".join(each.text for each in segments).strip()
        delta, self._text = text[len(self._text) :], text
        return delta

    def _delta_event(self, index: int, segment: Segment, delta: str) -> dict[str, Any]:
        event: dict[str, Any] = {"type": DELTA, "delta": delta}
        if self._request.format == "diarized_json":
            event["segment_id"] = f"seg_{index}"
        if self._request.logprobs:
            event["logprobs"] = logprobs([segment])
        return event
