"""Record ``quest22 demo`` on a terminal as an animated SVG: ``python -m tools.recording``.

The program runs for real, on a pseudo-terminal, and pyte keeps its screen. The picture is a strip
of all screens, which a CSS animation moves past a window. Every different line is in the file once.
Its background is its own, so that it can be read on light and dark pages alike.
"""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterable, Iterator, Sequence
from fcntl import ioctl
from html import escape
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

import pyte

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs/demo.svg"
COMMAND = ("quest22", "demo")
COLUMNS, ROWS = 96, 24

SCREENS = 48
"""How many are kept at most, as evenly as they come."""
LONGEST_S = 1.0
"""What stands still longer is shortened."""
LAST_S = 8.0
"""How long the last screen is shown, before all begins again."""

FONT_PX, CELL_PX, LINE_PX, MARGIN_PX = 14, 8.4, 19, 16
FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
BACKGROUND, FOREGROUND = "#1b1e27", "#dde1ea"
COLOURS = {
    "black": "#4a5064",
    "red": "#ff7b80",
    "green": "#8fd694",
    "brown": "#ecc67c",
    "blue": "#86b4ff",
    "magenta": "#d8a6f5",
    "cyan": "#79d4dd",
    "white": FOREGROUND,
}


class Run(NamedTuple):
    """Characters of one style, from a column on."""

    column: int
    text: str
    colour: str
    is_bold: bool


Line = tuple[Run, ...]


class Frame(NamedTuple):
    """A screen, and for how long it is shown."""

    lines: tuple[Line, ...]
    seconds: float


def run_on_terminal(command: Sequence[str]) -> Iterator[tuple[float, bytes]]:
    """What a program writes on a terminal, and when, in seconds from its start."""
    leader, follower = pty.openpty()
    ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    surroundings = os.environ | {"TERM": "xterm-256color", "NO_COLOR": ""}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        surroundings.pop(name, None)
    begun_s = time.monotonic()
    program = subprocess.Popen(  # noqa: S603
        list(command), stdin=follower, stdout=follower, stderr=follower, env=surroundings
    )
    os.close(follower)
    try:
        while select.select([leader], [], [], 60)[0]:
            try:
                data = os.read(leader, 65536)
            except OSError:  # Linux: all ends of the program's side are closed
                break
            if not data:
                break
            yield time.monotonic() - begun_s, data
    finally:
        os.close(leader)
        if program.wait(60) != 0:
            sys.exit(f"{' '.join(command)} ended with {program.returncode}")


def frames(output: Iterable[tuple[float, bytes]], prompt: str) -> list[Frame]:
    """The screens of a terminal, each as long as it stood there."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    stream.feed(f"\x1b[1m$ {prompt}\x1b[0m\r\n".encode())
    seen: list[tuple[float, tuple[Line, ...]]] = [(0.0, _lines(screen))]
    for when_s, data in output:
        stream.feed(data)
        lines = _lines(screen)
        if lines != seen[-1][1]:
            seen.append((when_s, lines))
    kept = _thinned(seen)
    shown = [
        Frame(lines, min(next_s - at_s, LONGEST_S)) for (at_s, lines), (next_s, _) in pairwise(kept)
    ]
    return [*shown, Frame(kept[-1][1], LAST_S)]


def _thinned(seen: list[tuple[float, tuple[Line, ...]]]) -> list[tuple[float, tuple[Line, ...]]]:
    """Some of the screens, the first and the last among them."""
    if len(seen) <= SCREENS:
        return seen
    step = (len(seen) - 1) / (SCREENS - 1)
    return [seen[round(index * step)] for index in range(SCREENS)]


def _lines(screen: pyte.Screen) -> tuple[Line, ...]:
    return tuple(_line(screen.buffer[row]) for row in range(ROWS))


def _line(cells: dict[int, pyte.screens.Char]) -> Line:
    """The visible characters of a line; spaces go with what is before them."""
    runs: list[Run] = []
    style = (FOREGROUND, False)
    styled = []
    for column in range(COLUMNS):
        cell = cells[column]
        style = style if cell.data == " " else (_colour(cell), cell.bold)
        styled.append((column, cell.data, style))
    for (colour, is_bold), group in groupby(styled, key=lambda each: each[2]):
        members = list(group)
        text = "".join(data for _, data, _ in members)
        if text.strip():
            column = members[0][0] + len(text) - len(text.lstrip())
            runs.append(Run(column, text.strip(), colour, is_bold))
    return tuple(runs)


def _colour(cell: pyte.screens.Char) -> str:
    if cell.fg == "default":
        return FOREGROUND
    named = cell.fg.removeprefix("bright")
    return COLOURS.get(named, f"#{cell.fg}" if len(cell.fg) == 6 else FOREGROUND)


def svg(shown: Sequence[Frame], title: str) -> str:
    """The animated picture."""
    lines = list(dict.fromkeys(line for frame in shown for line in frame.lines if line))
    names = {line: f"l{index}" for index, line in enumerate(lines)}
    width = COLUMNS * CELL_PX + 2 * MARGIN_PX
    height = ROWS * LINE_PX + 2 * MARGIN_PX
    inner = height - MARGIN_PX
    total_s = sum(frame.seconds for frame in shown)
    size = f'viewBox="0 0 {width:.0f} {height}" role="img"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}><title>{escape(title)}</title>',
            f"<style>{_style_sheet(shown, total_s, inner)}</style>",
            "<defs>",
            *(f'<g id="{names[line]}">{"".join(map(_text, line))}</g>' for line in lines),
            "</defs>",
            f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
            f'<svg x="{MARGIN_PX}" y="{MARGIN_PX}" height="{ROWS * LINE_PX}">',
            f'<g class="strip">{"".join(_screens(shown, names, inner))}</g>',
            "</svg></svg>\n",
        ]
    )


def _style_sheet(shown: Sequence[Frame], total_s: float, inner: float) -> str:
    at_s, steps = 0.0, []
    for index, frame in enumerate(shown):
        steps.append(f"{100 * at_s / total_s:.2f}%{{transform:translateY({-index * inner:g}px)}}")
        at_s += frame.seconds
    last = f"transform:translateY({-(len(shown) - 1) * inner:g}px)"
    return (
        f"text{{font:{FONT_PX}px {FONTS};fill:{FOREGROUND};white-space:pre}}.b{{font-weight:700}}"
        f".strip{{animation:run {total_s:.1f}s step-end infinite}}"
        f"@keyframes run{{{''.join(steps)}}}"
        f"@media(prefers-reduced-motion:reduce){{.strip{{animation:none;{last}}}}}"
    )


def _text(run: Run) -> str:
    bold = ' class="b"' if run.is_bold else ""
    fill = "" if run.colour == FOREGROUND else f' style="fill:{run.colour}"'
    length = f'textLength="{len(run.text) * CELL_PX:.0f}"'
    return f'<text x="{run.column * CELL_PX:.0f}" {length}{bold}{fill}>{escape(run.text)}</text>'


def _screens(shown: Sequence[Frame], names: dict[Line, str], inner: float) -> Iterator[str]:
    for index, frame in enumerate(shown):
        for row, line in enumerate(frame.lines):
            if line:
                y = index * inner + (row + 0.8) * LINE_PX
                yield f'<use href="#{names[line]}" y="{y:.0f}"/>'


def main() -> None:
    """Record the demo, and write the picture."""
    program = (sys.executable, "-m", *COMMAND)
    shown = frames(run_on_terminal(program), " ".join(COMMAND))
    picture = svg(shown, "quest22 demo: 40 clips streamed, transcribed and compared")
    PICTURE.write_text(picture, encoding="utf-8", newline="\n")
    print(
        f"{PICTURE.relative_to(ROOT)}: {len(shown)} screens, {len(picture.encode()) / 1000:.0f} kB"
    )


if __name__ == "__main__":
    main()
