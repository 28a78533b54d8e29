"""Words laid out as captions: lines of limited width, captions of limited height.

Knows words and their times; knows no file format. The layout is that of openai/whisper's writers
(``SubtitlesWriter`` in ``utils.py``), word for word: where both a width and a number of lines are
given, text flows across segments and breaks at pauses of three seconds; else each segment begins
a caption.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from quest22.records import Segment, Word
from quest22.settings import CaptionSettings

Caption = list[Word]
"""Words as they are shown: those that begin a line without a space, all lines but the first
behind a line break."""

LONG_PAUSE_S = 3.0
_UNLIMITED = 1000


@dataclass(slots=True, eq=False)
class _Layout:
    """A caption in the making, and how full it is; ``last_s`` is where its last word began."""

    settings: CaptionSettings
    last_s: float
    caption: Caption = field(default_factory=list)
    line_length: int = 0
    lines: int = 1

    def add(self, word: Word, *, first: bool) -> Caption | None:
        """Place a word, the first of its group or not; give the caption that it ended."""
        kept = self.settings.keeps_segments
        paused = not kept and word.start_s - self.last_s > LONG_PAUSE_S
        breaks = first and bool(self.caption) and kept
        self.last_s = word.start_s
        room = self.line_length + len(word.text) <= (self.settings.max_line_width or _UNLIMITED)
        if self.line_length > 0 and room and not paused and not breaks:
            self.line_length += len(word.text)
            self.caption.append(word)
            return None
        ended = self._end() if breaks or self._is_full(paused=paused) else None
        self._begin_line(word.text.strip(), word, below=ended is None and self.line_length > 0)
        return ended

    def _is_full(self, *, paused: bool) -> bool:
        most = self.settings.max_line_count
        return bool(self.caption) and most is not None and (paused or self.lines >= most)

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
        for place, word in enumerate(group):
            ended = layout.add(word, first=place == 0)
            if ended is not None:
                yield ended
    if layout.caption:
        yield layout.caption


def _groups(segments: Sequence[Segment], most: int) -> Iterator[Sequence[Word]]:
    """The words of each segment, ``most`` at a time."""
    for segment in segments:
        words = segment.words or ()
        for at in range(0, len(words), most):
            yield words[at : at + most]
