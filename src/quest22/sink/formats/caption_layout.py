"""Lays out a transcript's words as captions with times: the cues of srt and vtt.

Cues are split where they are too long to read (:mod:`quest22.sink.formats.readable_cues`). If the
settings say how to lay out words, this is done as in openai/whisper's writers
(``SubtitlesWriter`` in ``utils.py``), word for word: if both a width and a number of lines are
given, text flows across segments and breaks at pauses of three seconds; otherwise each segment
begins a caption. Knows no file format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from quest22.records import Segment, Transcript, Word
from quest22.settings import CaptionSettings
from quest22.sink.formats.channel_marks import by_channel, has_channels, in_order
from quest22.sink.formats.readable_cues import Cue, readable_cues
from quest22.sink.formats.sentences import by_sentence

Caption = list[Word]
"""Words as they are shown: the first of each line without a leading space, and every line but the
first behind a line break."""

LONG_PAUSE_S = 3.0
_UNLIMITED = 1000
_WORD = re.compile(r"^(\s*)(.*)$", re.DOTALL)


def caption_segments(transcript: Transcript, settings: CaptionSettings) -> Sequence[Segment]:
    """The segments, or sentences if the settings ask for them; one if timestamps were off.

    Those of channels begin with their channel's mark.
    """
    if not has_channels(transcript):
        return _sentences(whole_segments(transcript), settings)
    return in_order(
        replace(segment, text=mark + segment.text.strip())
        for mark, segments in by_channel(transcript)
        for segment in _sentences(segments, settings)
    )


def whole_segments(transcript: Transcript) -> Sequence[Segment]:
    """The segments; one if timestamps were off."""
    if transcript.segments or not transcript.text.strip():
        return transcript.segments
    return (Segment(0.0, transcript.duration_s, transcript.text),)


def _sentences(segments: Sequence[Segment], settings: CaptionSettings) -> Sequence[Segment]:
    return list(by_sentence(segments)) if settings.sentences else segments


def cues(transcript: Transcript, settings: CaptionSettings) -> Iterable[Cue]:
    """The cues of a transcript, short enough to read unless the settings lay out words.

    Else, without word timestamps, one for each segment. Those of channels begin with their
    channel's mark, which does not count for their length.
    """
    duration_s = transcript.duration_s
    if not has_channels(transcript):
        return _cues(whole_segments(transcript), duration_s, settings)
    return in_order(
        replace(cue, text=mark + cue.text)
        for mark, segments in by_channel(transcript)
        for cue in _cues(segments, duration_s, settings)
    )


def _cues(
    segments: Sequence[Segment], duration_s: float, settings: CaptionSettings
) -> Iterator[Cue]:
    segments = _sentences(segments, settings)
    if settings.limit is not None:
        for cue in readable_cues(segments, settings.limit, duration_s):
            yield replace(cue, text=_escaped(cue.text))
        return
    if not segments or segments[0].words is None:
        for segment in segments:
            yield Cue(segment.start_s, segment.end_s, _escaped(segment.text))
        return
    for caption in lay_out(segments, settings):
        if settings.highlight_words:
            yield from _highlighted(caption)
        else:
            yield Cue(caption[0].start_s, caption[-1].end_s, _cue_text(caption))


def _highlighted(caption: Caption) -> Iterator[Cue]:
    """A cue for each word, underlined, and one for each pause, as in openai/whisper."""
    last_s = caption[0].start_s
    for index, word in enumerate(caption):
        if round(last_s * 1000) != round(word.start_s * 1000):
            yield Cue(last_s, word.start_s, _cue_text(caption))
        yield Cue(word.start_s, word.end_s, _cue_text(caption, index))
        last_s = word.end_s


def _cue_text(caption: Caption, underlined: int | None = None) -> str:
    texts = [word.text.replace("-->", "->") for word in caption]
    if underlined is not None:
        texts[underlined] = _WORD.sub(r"\1<u>\2</u>", texts[underlined], count=1)
    return _escaped("".join(texts))


def _escaped(text: str) -> str:
    """Text that cannot break the format: no ``-->`` and no empty line."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return "\n".join(lines).replace("-->", "->")


@dataclass(slots=True, eq=False)
class _Layout:
    """A caption under construction; ``last_s`` is when its last word began."""

    settings: CaptionSettings
    last_s: float
    caption: Caption = field(default_factory=list)
    line_length: int = 0
    lines: int = 1

    def add(self, word: Word, *, first: bool) -> Caption | None:
        """Add a word, ``first`` in its group or not; return the caption that it completes."""
        by_segment = self.settings.keeps_segments
        paused = not by_segment and word.start_s - self.last_s > LONG_PAUSE_S
        breaks = first and bool(self.caption) and by_segment
        self.last_s = word.start_s
        fits = self.line_length + len(word.text) <= (self.settings.max_line_width or _UNLIMITED)
        if self.line_length > 0 and fits and not paused and not breaks:
            self.line_length += len(word.text)
            self.caption.append(word)
            return None
        ended = self._end() if breaks or self._is_full(paused=paused) else None
        self._begin_line(word.text.strip(), word, below=ended is None and self.line_length > 0)
        return ended

    def _is_full(self, *, paused: bool) -> bool:
        limit = self.settings.max_line_count
        return bool(self.caption) and limit is not None and (paused or self.lines >= limit)

    def _end(self) -> Caption:
        ended, self.caption, self.lines = self.caption, [], 1
        return ended

    def _begin_line(self, text: str, word: Word, *, below: bool) -> None:
        self.lines += below
        self.line_length = len(text)
        self.caption.append(replace(word, text=f"\n{text}" if below else text))


def lay_out(segments: Sequence[Segment], settings: CaptionSettings) -> Iterator[Caption]:
    """The words of segments as captions."""
    groups = list(_groups(segments, settings.max_words_per_line or _UNLIMITED))
    layout = _Layout(settings, groups[0][0].start_s if groups else 0.0)
    for group in groups:
        for index, word in enumerate(group):
            ended = layout.add(word, first=index == 0)
            if ended is not None:
                yield ended
    if layout.caption:
        yield layout.caption


def _groups(segments: Sequence[Segment], size: int) -> Iterator[Sequence[Word]]:
    """The words of each segment in groups of at most ``size``."""
    for segment in segments:
        words = segment.words or ()
        for start in range(0, len(words), size):
            yield words[start : start + size]
