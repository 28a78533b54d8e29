"""Measures how right and how fast the product and other programs are, and fills docs/accuracy.md.

    python -m benchmarks.accuracy [--systems 'balanced*,fast'] [--sets joined,longform] …

What is measured is kept in ``build/accuracy``; a further run measures only what is missing there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy import joined, nonspeech, page
from benchmarks.accuracy.measure import in_process, measure
from benchmarks.accuracy.outcomes import OutcomeFolder, Unit, units
from benchmarks.accuracy.recordings import HALVES, RecordingSet, read_set, read_sets
from benchmarks.accuracy.systems import System, chosen
from benchmarks.speech_folder import speech_folder
from quest22.bench.live.nonspeech import RECIPES
from quest22.errors import Quest22Error, UsageError

MODELS = "base,tiny.en"


def options() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy")
    parser.add_argument("--speech", type=Path, default=speech_folder(), help="folder of sets")
    parser.add_argument("--systems", default="", help="only these, as patterns: balanced*,fast")
    parser.add_argument("--sets", default="", help="only these, of speech and of other sound")
    parser.add_argument("--models", default=MODELS, help="names or folders; the first has pictures")
    parser.add_argument("--half", choices=HALVES, help="only these rows of the sets")
    parser.add_argument("--limit", type=int, help="so many recordings of each set, for a try")
    parser.add_argument("--threads", type=int, default=1, help="of each system (default: 1)")
    parser.add_argument("--folder", type=Path, default=Path("build/accuracy"), help="for results")
    parser.add_argument("--again", action="store_true", help="measure also what is there")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    parser.add_argument("--keep-page", action="store_true", help="leave the page as it is")
    return parser


def speech_sets(given: argparse.Namespace) -> list[RecordingSet]:
    """The sets of the folder, and the recordings joined from them."""
    sets = read_sets(given.speech)
    folder = given.folder / "sets" / joined.NAME
    joined.make(sets, folder)
    every = [*sets, read_set(folder)] if folder.is_dir() else sets
    if given.limit is None:
        return every
    return [RecordingSet(each.name, each.recordings[: given.limit]) for each in every]


def noise_sets(given: argparse.Namespace) -> list[RecordingSet]:
    """The sets of sound without speech, written or not."""
    folder = given.folder / "sets"
    return [nonspeech.recording_set(name, folder / name) for name in RECIPES]


def jobs(
    given: argparse.Namespace, sets: Sequence[RecordingSet], noise: Sequence[RecordingSet]
) -> list[tuple[System, Unit]]:
    """What is asked for, in the order in which it is measured: set by set, systems in turn."""
    systems, halves = chosen(_names(given.systems)), [given.half] if given.half else HALVES
    asked = []
    for model in _names(given.models):
        for each in _selected([*sets, *noise], _names(given.sets)):
            for system in systems:
                parts = system.noise if each in noise else halves
                asked += [(system, unit) for unit in units([each], model, parts)]
    return asked


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _selected(sets: Sequence[RecordingSet], names: Sequence[str]) -> list[RecordingSet]:
    known = {each.name: each for each in sets}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"--sets {', '.join(unknown)}: expected some of {', '.join(known)}")
    return [known[name] for name in names or known]


def run(given: argparse.Namespace) -> None:
    """Measure what is missing, then fill the page; also after an interruption."""
    sets, noise = speech_sets(given), noise_sets(given)
    outcomes = OutcomeFolder(given.folder / "outcomes", given.threads)
    asked = [] if given.page_only else jobs(given, sets, noise)
    for each in noise:
        if any(unit.set_name == each.name for _, unit in asked):
            nonspeech.write(each.name, given.folder / "sets" / each.name)
    try:
        measure(asked, outcomes, given.again, lambda line: print(line, flush=True), in_process)
    finally:
        if not given.keep_page:
            page.fill(sets, noise, _names(given.models), outcomes)


def main() -> int:
    """Run the command; an error of its use is one line."""
    try:
        run(options().parse_args())
    except Quest22Error as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
