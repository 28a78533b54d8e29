"""Documents that grow with each final segment of a live session, and are whole after each.

Captions look as those of a recording do, except that each segment is laid out alone: the next one
is not known yet. Knows no files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from quest22.errors import UsageError
from quest22.records import LiveEvent, Origin, Segment, Transcript, Word
from quest22.settings import CaptionSettings
from quest22.sink.formats.caption_layout import caption_segments, cues
from quest22.sink.formats.captions import TSV_HEAD, VTT_HEAD, srt_cue, tsv_row, txt_line, vtt_cue
from quest22.sink.formats.json_values import json_line
from quest22.sink.formats.live_events import event_fields
from quest22.sink.formats.readable_cues import Cue


class LiveDocument(Protocol):
    """A document that grows; ``head`` is what it begins with."""

    head: str

    def add(self, event: LiveEvent) -> str:
        """What a final event adds to the document; may be nothing."""
        ...


class SegmentDocument:
    """A document with a piece of text for each segment, or sentence."""

    def __init__(
        self, settings: CaptionSettings, head: str, write: Callable[[Segment], str]
    ) -> None:
        self.head = head
        self._settings = settings
        self._write = write

    def add(self, event: LiveEvent) -> str:
        return "".join(map(self._write, caption_segments(_transcript(event), self._settings)))


class CueDocument:
    """A document of cues; none begins before the last one of the segment before ends."""

    def __init__(
        self, settings: CaptionSettings, head: str, write: Callable[[int, Cue], str]
    ) -> None:
        self.head = head
        self._settings = settings
        self._write = write
        self._number = 0
        self._end_s = 0.0

    def add(self, event: LiveEvent) -> str:
        return "".join(map(self._next, self._apart(cues(_transcript(event), self._settings))))

    def _next(self, cue: Cue) -> str:
        self._number += 1
        return self._write(self._number, cue)

    def _apart(self, found: Iterable[Cue]) -> Iterator[Cue]:
        before_s = self._end_s
        for cue in found:
            start_s = max(cue.start_s, before_s)
            end_s = max(cue.end_s, start_s)
            self._end_s = max(self._end_s, end_s)
            yield replace(cue, start_s=start_s, end_s=end_s)


class EventLines:
    """JSON lines, one for each final event."""

    head = ""

    def add(self, event: LiveEvent) -> str:
        return json_line(event_fields(event))


_FORMATS: Mapping[str, Callable[[CaptionSettings], LiveDocument]] = {
    "txt": lambda settings: SegmentDocument(settings, "", txt_line),
    "srt": lambda settings: CueDocument(settings, "", srt_cue),
    "vtt": lambda settings: CueDocument(settings, VTT_HEAD, lambda _, cue: vtt_cue(cue)),
    "tsv": lambda settings: SegmentDocument(settings, TSV_HEAD, tsv_row),
    "jsonl": lambda _: EventLines(),
}
LIVE_FORMATS = tuple(_FORMATS)
_ALIASES = {"text": "txt"}


def live_format(name: str) -> str:
    """A format of :data:`LIVE_FORMATS` as a user writes it. Raises :class:`UsageError`."""
    plain = name.strip().lower()
    plain = _ALIASES.get(plain, plain)
    if plain not in _FORMATS:
        raise UsageError(
            f"unknown live format {name!r}: expected one of {', '.join(LIVE_FORMATS)}; others are "
            "made of a whole recording by quest22 transcribe"
        )
    return plain


def live_document(name: str, settings: CaptionSettings) -> LiveDocument:
    """A new document of a format of :data:`LIVE_FORMATS`."""
    return _FORMATS[name](settings)


def _transcript(event: LiveEvent) -> Transcript:
    """A final event as a transcript of one segment; of none without text."""
    words = tuple(
        Word(each.start_s, each.end_s, each.text, each.probability) for each in event.words
    )
    start_s, end_s = event.audio_end_s, event.audio_end_s
    if words:
        start_s, end_s = words[0].start_s, words[-1].end_s
    segment = Segment(start_s, end_s, event.text, words=words, language=event.language)
    return Transcript(
        key="live",
        name="live",
        text=event.text.strip(),
        language=event.language,
        language_probability=0.0,
        duration_s=max(event.audio_end_s, end_s),
        segments=(segment,) if event.text.strip() else (),
        origin=Origin("live"),
    )
