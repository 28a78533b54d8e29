"""``python -m benchmarks.accuracy.parity --models tiny.en,base --sets en_ljspeech30 --take 10``."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.accuracy.parity.causes import EQUAL, Outcome
from benchmarks.accuracy.parity.long_recordings import chunked, chunked_times, sequential, words
from benchmarks.accuracy.parity.models import Models
from benchmarks.accuracy.parity.recordings import Recording, recordings
from benchmarks.accuracy.parity.speech import speech
from benchmarks.accuracy.parity.windows import beams, languages, openai, text, timestamps
from quest22.checkpoint.caches import own_folder

Comparison = Callable[[Models, Recording], Iterator[Outcome]]

COMPARISONS: Mapping[str, Comparison] = {
    "text": text,
    "timestamps": timestamps,
    "openai": openai,
    "beams": beams,
    "languages": languages,
    "chunked": chunked,
    "chunked-times": chunked_times,
    "sequential": sequential,
    "words": words,
}
SPEECH = "speech"
"""The one comparison that needs no weights."""


def parsed() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="tiny.en,base")
    parser.add_argument("--sets", default="en_ljspeech30")
    parser.add_argument("--compare", default="text", help=",".join([*COMPARISONS, SPEECH]))
    parser.add_argument("--take", type=int, help="recordings of each set; all by default")
    parser.add_argument("--language", help="only recordings in this language")
    parser.add_argument("--standard", type=Path, default=own_folder("").parent / "standard")
    return parser.parse_args()


def main() -> None:
    """Compare, print each difference as it is found, and a table."""
    asked = parsed()
    home = Path(os.environ.get("QUEST22_SPEECH", "../shared/speech"))
    sounds = [
        sound
        for name in asked.sets.split(",")
        for sound in recordings(home / name, asked.take, asked.language)
    ]
    kinds = asked.compare.split(",")
    rows: dict[tuple[str, str], Counter[str]] = {}
    if SPEECH in kinds:
        rows[SPEECH, ""] = counted(SPEECH, (each for sound in sounds for each in speech(sound)))
    for name in asked.models.split(",") if set(kinds) - {SPEECH} else ():
        models = Models(own_folder(name), asked.standard / name)
        for kind in kinds:
            if kind != SPEECH:
                compare = COMPARISONS[kind]
                outcomes = (each for sound in sounds for each in compare(models, sound))
                rows[kind, name] = counted(f"{kind} {name}", outcomes)
    print_table(rows)


def counted(label: str, outcomes: Iterator[Outcome]) -> Counter[str]:
    """How many comparisons ended how; prints each that isn't equal."""
    begun, counts = time.monotonic(), Counter[str]()
    for each in outcomes:
        counts[each.cause] += 1
        if each.cause != EQUAL:
            print(f"{label}: {each.recording}: {each.cause}: {each.detail}", flush=True)
    print(f"{label}: {counts.total()} in {time.monotonic() - begun:.0f} s", flush=True)
    return counts


def print_table(rows: Mapping[tuple[str, str], Counter[str]]) -> None:
    """A row for each comparison and model, in Markdown."""
    print("\n| comparison | weights | compared | equal | differences by cause |")
    print("|---|---|---|---|---|")
    for (kind, name), counts in rows.items():
        others = [f"{cause}: {count}" for cause, count in counts.items() if cause != EQUAL]
        told = "; ".join(others) or "–"
        print(f"| {kind} | {name} | {counts.total()} | {counts[EQUAL]} | {told} |")


if __name__ == "__main__":
    main()
