"""Draws error rate against speed as SVG: a dot for each system, readable in light and in dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 430
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 40, 48
FONT, LETTER = 12, 6.3
"""Size of the labels, and the width of a letter at that size."""

STYLE = """
text { font-family: system-ui, sans-serif; font-size: 12px; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.axis { stroke: #8c959f; stroke-width: 1 }
.grid { stroke: #d0d7de; stroke-width: 0.5 }
.tick { fill: #57606a; font-size: 11px }
.ours { fill: #0969da } .peer { fill: #bc4c00 } .leader { stroke: #8c959f; stroke-width: 0.7 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .tick { fill: #9198a1 } .grid { stroke: #3d444d }
  .ours { fill: #4493f8 } .peer { fill: #f0883e }
}
"""


@dataclass(frozen=True, slots=True)
class Dot:
    """A system: seconds of sound per processor second, errors per hundred words."""

    label: str
    speed: float
    error_percent: float
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """A diagram of its own, such as that of long recordings."""

    title: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area that two have in common."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


AREA = Box(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)


def draw(panels: Sequence[Panel]) -> str:
    """All panels that have dots, one below another."""
    shown = [panel for panel in panels if panel.dots]
    area = f'viewBox="0 0 {WIDTH} {HEIGHT * len(shown)}"'
    label = 'role="img" aria-label="Error rate against speed"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {area} {label}>',
        f"<style>{STYLE}</style>",
    ]
    for number, panel in enumerate(shown):
        lines += [f'<g transform="translate(0 {number * HEIGHT})">', *_panel(panel), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _panel(panel: Panel) -> Iterator[str]:
    speeds = [dot.speed for dot in panel.dots]
    errors = [dot.error_percent for dot in panel.dots]
    across = _scale(speeds, (AREA.left, AREA.right), math.log)
    down = _scale(errors, (AREA.bottom, AREA.top), float)
    yield f'<text class="title" x="{LEFT}" y="20">{escape(panel.title)}</text>'
    yield from _axes(speeds, errors, across, down)
    places = [(across(dot.speed), down(dot.error_percent)) for dot in panel.dots]
    boxes = place_labels(places, [dot.label for dot in panel.dots])
    for dot, (x, y), box in zip(panel.dots, places, boxes, strict=True):
        yield from _leader(x, y, box)
        kind = "ours" if dot.is_ours else "peer"
        yield f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
        yield f'<text x="{box.left:.1f}" y="{box.bottom - 3:.1f}">{escape(dot.label)}</text>'


Scale = Callable[[float], float]


def _scale(
    values: Sequence[float], ends: tuple[float, float], measure: Callable[[float], float]
) -> Scale:
    """From values to pixels, with a tenth of their range free at both ends."""
    low, high = measure(min(values)), measure(max(values))
    margin = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    low, high = low - margin, high + margin
    return lambda value: ends[0] + (ends[1] - ends[0]) * (measure(value) - low) / (high - low)


def _axes(
    speeds: Sequence[float], errors: Sequence[float], across: Scale, down: Scale
) -> Iterator[str]:
    for speed in ticks(min(speeds), max(speeds), logarithmic=True):
        x = across(speed)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{AREA.bottom}"/>'
        yield (
            f'<text class="tick" x="{x:.1f}" y="{AREA.bottom + 16}" text-anchor="middle">'
            f"{speed:g}</text>"
        )
    for error in ticks(min(errors), max(errors)):
        if not AREA.top <= (y := down(error)) <= AREA.bottom:
            continue
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{AREA.right}" y2="{y:.1f}"/>'
        yield (
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{error:g} %</text>"
        )
    corners = f"M{LEFT} {TOP} V{AREA.bottom} H{AREA.right}"
    yield f'<path class="axis" fill="none" d="{corners}"/>'
    yield (
        f'<text class="tick" x="{AREA.right}" y="{AREA.bottom + 34}" text-anchor="end">'
        "seconds of sound per processor second: faster →</text>"
    )
    yield f'<text class="tick" x="{AREA.right}" y="20" text-anchor="end">fewer errors ↓</text>'


def ticks(low: float, high: float, logarithmic: bool = False) -> list[float]:
    """Round numbers from ``low`` to ``high``: 1, 2, 5, 10 … if logarithmic, else evenly spaced."""
    if logarithmic:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        steps = [digit * 10.0**power for power in powers for digit in (1, 2, 3, 5, 7)]
        return [step for step in steps if 0.9 * low <= step <= 1.1 * high]
    rough = (high - low) / 6 or 1.0
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * digit for digit in (1, 2, 5, 10) if size * digit >= rough)
    first, last = math.ceil((low - step / 2) / step), math.floor((high + step / 2) / step)
    return [round(number * step, 6) for number in range(first, last + 1)]


def place_labels(places: Sequence[tuple[float, float]], labels: Sequence[str]) -> list[Box]:
    """A box for each label beside its dot, as free of dots and other labels as can be found."""
    taken = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    boxes = []
    for (x, y), label in zip(places, labels, strict=True):
        width = LETTER * len(label)

        def cost(box: Box) -> float:
            outside = box.right - box.left - _inside(box)
            return sum(map(box.overlap, taken)) + 100 * outside

        best = min(_around(x, y, width), key=cost)
        taken.append(best)
        boxes.append(best)
    return boxes


def _inside(box: Box) -> float:
    """How much of a box's width lies within the area, none if it is above or below."""
    if box.top < 0 or box.bottom > AREA.bottom + 6:
        return 0.0
    return max(0.0, min(box.right, float(WIDTH)) - max(box.left, float(LEFT)))


def _around(x: float, y: float, width: float) -> Iterator[Box]:
    """Places for a label, the nearest ones first."""
    for distance in (0, 14, 28, 42, 56):
        for up in (-distance, distance) if distance else (0,):
            for left in (x + 8, x - 8 - width):
                yield Box(left, y + up - 8, left + width, y + up + 7)
        yield Box(x - width / 2, y - 22 - distance, x + width / 2, y - 7 - distance)
        yield Box(x - width / 2, y + 7 + distance, x + width / 2, y + 22 + distance)


def _leader(x: float, y: float, box: Box) -> Iterator[str]:
    """A line from a dot to a label that is not beside it."""
    middle = (box.top + box.bottom) / 2
    if abs(middle - y) > 16:
        end = min(max(x, box.left), box.right)
        edge = box.bottom if middle < y else box.top
        yield f'<line class="leader" x1="{x:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{edge:.1f}"/>'
