"""Inserts benchmark results into docs/performance.md, between named markers.

    python -m benchmarks.document speed=build/bench.json precision=build/precision.txt …

A ``.json`` file, written by ``quest22 bench --json``, becomes tables; any other file, the output of
a benchmark, is inserted unchanged.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
COLUMNS = "| program | × real time | quest22 is × as fast | tokens a window | peak MB | how |"


def tables(figures: Mapping[str, Any]) -> str:
    """All outcomes of a benchmark as Markdown tables, and the machine."""
    parts = ["\n".join(_outcome(outcome)) for outcome in figures["outcomes"]]
    machine = figures["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    processor = f"{machine['processor']}, {machine['cores']} cores, {' '.join(machine['features'])}"
    return "\n\n".join([*parts, f"Machine: {processor}; {versions}."])


def _outcome(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield f"**{outcome['measure'].capitalize()}**: {outcome['model']}\n"
    if outcome["seconds"]:
        cold, warm = outcome["seconds"]["cold"], outcome["seconds"]["warm"]
        yield f"First transcript after {warm:.2f} s; {cold:.2f} s with an empty cache."
        return
    yield COLUMNS
    yield "|---|---|---|---|---|---|"
    ours = outcome["results"][0]
    for each in outcome["results"]:
        speed = each["audio_s"] / each["seconds"]
        ratio = each["seconds"] * ours["audio_s"] / (ours["seconds"] * each["audio_s"])
        yield (
            f"| {each['name']} | {speed:.1f} | {ratio:.2f} | {each['tokens_a_window']:.1f} "
            f"| {each['peak_bytes'] / 1e6:.0f} | {each['about']} |"
        )
    yield "\n" + _parts(outcome["results"][-1 if outcome["measure"] == "streamed" else 0])
    for complaint in outcome["complaints"]:
        yield f"\n{complaint}"


def _parts(result: Mapping[str, Any]) -> str:
    """The time of each stage of a result, in a sentence."""
    names = {"features": "log-mel", "longform": "cut and merge"}
    order = ("features", "encoder", "decoder", "longform", "wait", "audio")
    stages = [
        f"{names.get(part, part)} {1000 * result['parts'].get(part, 0) / result['windows']:.1f}"
        for part in order
    ]
    stages[-1] += " (decoding sound, beside)"
    return f"{result['name']}, milliseconds a window: {', '.join(stages)}."


def filled(page: str, name: str, content: str) -> str:
    """The page with ``content`` between the markers of a section.

    Raises :class:`ValueError` if the page has no such markers.
    """
    markers = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not markers.search(page):
        raise ValueError(f"the page has no markers for {name!r}")
    return markers.sub(lambda match: f"{match[1]}\n{content.strip()}\n\n{match[2]}", page)


def main() -> int:
    """Insert each ``section=file`` of the command line into the page."""
    page = PAGE.read_text(encoding="utf-8")
    for argument in sys.argv[1:]:
        name, _, path = argument.partition("=")
        text = Path(path).read_text(encoding="utf-8")
        page = filled(page, name, tables(json.loads(text)) if path.endswith(".json") else text)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
