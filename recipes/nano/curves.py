"""``python -m recipes.nano.curves``: draw the losses of ``curves.csv`` as an SVG picture."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from recipes.nano.config import load

WIDTH, HEIGHT, MARGIN = 900, 420, 50
COLOURS = {"single": "#1b6", "short": "#16b", "half": "#83c", "full": "#c33", "padded": "#c80",
           "one": "#666"}  # fmt: skip
STEPS_A_POINT = 100
Points = dict[str, list[tuple[float, float]]]


def read(path: Path) -> Points:
    """Mean token losses of every 100 steps over thousands of steps, by kind of window."""
    with path.open(encoding="utf-8") as file:
        rows = _last_of_each_step(list(csv.reader(file)))
    sums: dict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for step, _, kind, count, token, *_ in rows:
        total = sums[kind, int(step) // STEPS_A_POINT]
        total[0] += int(count)
        total[1] += int(count) * float(token)
    points: Points = defaultdict(list)
    for (kind, hundreds), (windows, loss) in sorted(sums.items()):
        points[kind].append((hundreds * STEPS_A_POINT / 1000, loss / windows))
    return points


def _last_of_each_step(rows: list[list[str]]) -> list[list[str]]:
    """Without what was done again after a return to an earlier state."""
    kept: list[list[str]] = []
    first = float("inf")
    for row in reversed(rows):
        if float(row[0]) <= first:
            kept.append(row)
            first = float(row[0])
    return kept[::-1]


def drawing(points: Points) -> str:
    """An SVG with one line a kind of window, loss from 0 to 1."""
    end = max(steps for line in points.values() for steps, _ in line)

    def place(steps: float, loss: float) -> str:
        x = MARGIN + steps / end * (WIDTH - 2 * MARGIN)
        y = HEIGHT - MARGIN - min(loss, 1.0) * (HEIGHT - 2 * MARGIN)
        return f"{x:.1f},{y:.1f}"

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">']
    for loss in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = place(0, loss).split(",")
        parts.append(f'<text x="{float(x) - 35}" y="{y}" font-size="12">{loss}</text>')
        parts.append(f'<path d="M{x},{y} H{WIDTH - MARGIN}" stroke="#ddd"/>')
    for row, (kind, line) in enumerate(sorted(points.items())):
        colour = COLOURS.get(kind, "#000")
        along = " ".join(place(*point) for point in line)
        parts.append(f'<polyline points="{along}" fill="none" stroke="{colour}"/>')
        y_label = MARGIN + 16 * row
        parts.append(f'<text x="{WIDTH - 90}" y="{y_label}" fill="{colour}">{kind}</text>')
    label = f"thousands of steps (to {end:.0f})"
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}">{label}</text></svg>')
    return "\n".join(parts)


def main() -> None:
    """Draw ``curves.svg`` beside ``curves.csv``."""
    path = load().cache / "curves.csv"
    path.with_suffix(".svg").write_text(drawing(read(path)), encoding="utf-8")
    print(path.with_suffix(".svg"))


if __name__ == "__main__":
    main()
