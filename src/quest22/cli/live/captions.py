"""Captions on a terminal: committed text firm, interim text dim, and the state at the foot."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.text import Text

from quest22.cli.live.layout import SegmentLayout
from quest22.cli.live.lines_above import LinesAbove
from quest22.cli.live.screen import Screen
from quest22.cli.live.speaker import Speaker
from quest22.cli.live.views import View
from quest22.records import LiveEvent

TIME_STYLE, TAIL_STYLE, FOOT_STYLE, WARNING_STYLE = "cyan", "dim", "dim", "yellow"
QUIETEST_DB = -54.0
BARS = " ▁▂▃▄▅▆▇█"
STALLED_S = 2.0
"""From here on the foot says that nothing comes; a line of its own says so later."""


@dataclass(slots=True)
class _OpenSegment:
    speaker: Speaker
    event: LiveEvent
    layout: SegmentLayout
    start: str
    lines: list[Text] = field(default_factory=list)


class Captions:
    """Shows sessions on the terminal of a console; a :class:`View`.

    What else writes to standard error meanwhile goes above the foot. ``named``: segments are headed
    by who speaks. ``foot``: show the line of state.
    """

    def __init__(self, console: Console, *, named: bool = False, foot: bool = True) -> None:
        self._screen = Screen(console)
        self._plain = console.encoding.lower() not in ("utf-8", "utf8")
        self._named = named
        self._shows_foot = foot
        self._open: dict[tuple[int, int], _OpenSegment] = {}
        self._foot: list[Text] = []
        self._language: str | None = None
        self._latency_s: float | None = None
        self._lock = threading.RLock()
        self._stderr: TextIO | None = None

    def __enter__(self) -> View:
        self._screen.begin()
        if sys.stderr.isatty():
            self._stderr = sys.stderr
            sys.stderr = LinesAbove(self.say, sys.stderr)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._stderr is not None:
                sys.stderr = self._stderr
            staying = [line for segment in self._open.values() for line in segment.lines]
            self._open.clear()
            with suppress(OSError):  # the terminal has gone
                self._screen.draw(staying, [])
                self._screen.end()

    def show(self, speaker: Speaker, event: LiveEvent) -> None:
        key = (speaker.number, event.segment)
        with self._lock:
            if event.language:
                self._language = event.language
            if event.latency_s is not None and event.type != "interim":
                self._latency_s = event.latency_s
            segment = self._segment(key, speaker, event)
            segment.lines = self._lines(segment, event)
            staying: list[Text] = []
            if event.type == "final":
                staying = self._open.pop(key).lines
            self._draw(staying)

    def tick(self, speakers: Sequence[Speaker], state: str) -> None:
        with self._lock:
            if self._shows_foot:
                self._foot = [Text(), self._state_line(speakers, state)]
            self._draw([])

    def say(self, line: str) -> None:
        """Show a line of the program's own above the foot."""
        with self._lock:
            self._draw([Text(line, WARNING_STYLE)])

    def _draw(self, staying: Sequence[Text]) -> None:
        growing = [line for segment in self._open.values() for line in segment.lines]
        self._screen.draw(staying, [*growing, *self._foot])

    def _segment(self, key: tuple[int, int], speaker: Speaker, event: LiveEvent) -> _OpenSegment:
        """The open segment of an event; laid out anew where the terminal's width has changed."""
        width = max(self._screen.columns - self._indent(speaker), 8)
        found = self._open.get(key)
        if found is None or found.layout.width != width:
            start_s = event.words[0].start_s if event.words else event.audio_end_s
            start = found.start if found else clock_time(start_s)
            found = self._open[key] = _OpenSegment(speaker, event, SegmentLayout(width), start)
        return found

    def _indent(self, speaker: Speaker) -> int:
        return len(self._head(speaker, clock_time(0)))

    def _head(self, speaker: Speaker, start: str) -> str:
        name = f"{speaker.mark:>2} " if self._named else ""
        return f"{name}{start:>7}  "

    def _lines(self, segment: _OpenSegment, event: LiveEvent) -> list[Text]:
        head = self._head(segment.speaker, segment.start)
        indent = " " * len(head)
        return [
            Text.assemble(
                (indent if number else head, TIME_STYLE), line.stable, (line.tail, TAIL_STYLE)
            )
            for number, line in enumerate(segment.layout.lines(event))
        ]

    def _state_line(self, speakers: Sequence[Speaker], state: str) -> Text:
        indent = "   " if self._named else ""
        if state or not speakers:
            return self._fitted(Text(f"{indent}{'':>7}  {state}", FOOT_STYLE))
        heard_s = max(each.heard_s for each in speakers)
        several = f"{len(speakers)} speakers"
        parts = [self._bars(speakers[0]) if len(speakers) == 1 else several]
        waited_s = min(each.waited_s for each in speakers)
        if waited_s >= STALLED_S:
            parts.append(f"no sound for {waited_s:.0f} s")
        else:
            parts += [self._language or "", self._behind()]
        mark = "*" if self._plain else "●"
        line = Text.assemble(
            (f"{indent}{clock_time(heard_s):>7}  ", FOOT_STYLE),
            (f"{mark} ", "yellow" if waited_s >= STALLED_S else "red"),
            ("  ".join(filter(None, parts)), FOOT_STYLE),
        )
        return self._fitted(line)

    def _fitted(self, line: Text) -> Text:
        line.truncate(self._screen.columns)
        return line

    def _behind(self) -> str:
        return "" if self._latency_s is None else f"{self._latency_s:.1f} s behind"

    def _bars(self, speaker: Speaker) -> str:
        if self._plain:
            return ""
        levels = list(speaker.levels_db)
        bars = [round((1 - level / QUIETEST_DB) * (len(BARS) - 1)) for level in levels]
        return "".join(BARS[min(max(bar, 1), len(BARS) - 1)] for bar in bars)


def clock_time(seconds: float) -> str:
    """``0:07``, ``12:07`` or ``1:12:07``."""
    minutes, whole_s = divmod(int(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole_s:02d}" if hours else f"{minutes}:{whole_s:02d}"
