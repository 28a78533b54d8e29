"""Measures the server, and fills the section "Measurements" of docs/server-load.md.

    python -m benchmarks.server [--files 60] [--speaches PYTHON=CHECKOUT] [--whisper-cpp PROGRAM]

With 60 recordings and both other programs it takes about eight minutes on an idle machine. Every
program runs alone, in turn. After each step the page has what was measured so far.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.accuracy.recordings import Recording, decoded, read_set
from benchmarks.document import filled
from benchmarks.server import page
from benchmarks.server.clients import Uploads
from benchmarks.server.programs import Program, ours, running, speaches, whisper_cpp
from benchmarks.server.speakers import speak, summary
from benchmarks.server.throughput import Measured, audio_s, of_command, of_server
from benchmarks.speech_folder import speech_folder
from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ, Samples

PAGE = Path(__file__).parents[2] / "docs" / "server-load.md"
SECTION = "server-load"
PAUSE_S = 1.0


def throughput(given: argparse.Namespace) -> dict[str, Any]:
    """The batch command, this server and the others."""
    recordings = chosen(given)
    found: dict[str, list[Measured]] = {}
    texts: tuple[str, ...] = ()
    for number in range(given.rounds):
        done, texts = of_command(given.model, given.language, recordings)
        _note(found, done)
        for program in programs(given):
            if number and program.name != "quest22 serve":
                continue
            try:
                done, theirs = of_server(program, recordings, given.clients, given.folder)
            except UsageError as error:
                print(f"{program.name}: {error}", file=sys.stderr)
                continue
            _note(found, done, same=sum(map(str.__eq__, texts, theirs)))
    rows = [_of_rounds(each) for each in found.values()]
    return {
        "model": Path(given.model).name,
        "files": len(recordings),
        "audio_s": audio_s(recordings),
        "programs": rows,
    }


def live(given: argparse.Namespace) -> dict[str, Any]:
    """Live sessions alone, and while as many clients as above send recordings."""
    recordings = chosen(given)
    files = [each.path for each in recordings]
    sound = joined(recordings, given.live_s)
    turns = np.linspace(0, len(sound), given.sessions, endpoint=False, dtype=int)
    sounds = [np.roll(sound, -int(turn)) for turn in turns]
    rows = []
    with running(ours(given.model, given.language), files[0], given.folder / "live.log") as served:
        for clients in (0, given.clients):
            uploads = Uploads(served.address, files, clients, again=True)
            delays = speak(served.address, sounds, Path(given.model).name, given.language)
            recorded = uploads.done
            uploads.stop()
            uploads.wait()
            rows.append(
                {
                    "sessions": given.sessions,
                    "beside": f"{clients} clients" if clients else "nothing",
                    "shown_s": summary(delays.shown_s),
                    "final_s": summary(delays.final_s),
                    "words": delays.words,
                    "recordings": recorded,
                }
            )
            print(rows[-1], file=sys.stderr)
    return {"model": Path(given.model).name, "rows": rows}


STEPS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "throughput": throughput,
    "live": live,
}


def programs(given: argparse.Namespace) -> Iterator[Program]:
    """This server, and the others that were given."""
    yield ours(given.model, given.language)
    if given.speaches:
        python, _, checkout = given.speaches.partition("=")
        for precision in given.precisions.split(","):
            place = (python, Path(checkout), given.model, given.language)
            yield speaches(*place, precision, given.folder)
    if given.whisper_cpp:
        yield whisper_cpp(given.whisper_cpp, given.model, given.language, given.folder)


def chosen(given: argparse.Namespace) -> Sequence[Recording]:
    """The first recordings of a set."""
    return read_set(given.speech / given.set).recordings[: given.files]


def joined(recordings: Sequence[Recording], seconds: float) -> Samples:
    """The first recordings with pauses between them, of about this duration."""
    parts: list[Samples] = []
    for each in recordings:
        if sum(map(len, parts)) >= seconds * SAMPLE_RATE_HZ:
            break
        parts += [decoded(each.path), np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), np.float32)]
    return np.concatenate(parts)


def _note(found: dict[str, list[Measured]], done: Measured, same: int | None = None) -> None:
    found.setdefault(f"{done.name}, {done.about}", []).append(replace(done, same=same))
    print(f"{done.name}, {done.about}: {done.times_real_time:.1f} × real time", file=sys.stderr)


def _of_rounds(rounds: Sequence[Measured]) -> dict[str, Any]:
    """The median of the times, and the rest of the last round."""
    row = asdict(rounds[-1])
    row["seconds"] = median(each.seconds for each in rounds)
    row["times_real_time"] = row["audio_s"] / row["seconds"]
    return row


def options() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server")
    parser.add_argument("--speech", type=Path, default=speech_folder(), help="folder of sets")
    parser.add_argument("--set", default="en_commonvoice100")
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--model", default="base")
    parser.add_argument("--language", default="en")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=1, help="of the command and this server")
    parser.add_argument("--speaches", default="", help="PYTHON=CHECKOUT")
    parser.add_argument("--precisions", default="default", help="of speaches: default,int8")
    parser.add_argument("--whisper-cpp", default="", help="whisper-server")
    parser.add_argument("--sessions", type=int, default=4, help="live sessions")
    parser.add_argument("--live-s", type=float, default=40.0, help="seconds of each session")
    parser.add_argument("--only", default="", help="only these steps: throughput, live")
    parser.add_argument("--folder", type=Path, default=Path("build/server"), help="for results")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    parser.add_argument("--keep-page", action="store_true", help="leave the page as it is")
    return parser


def fill(folder: Path) -> None:
    """Insert what was measured into the page."""
    files = [folder / f"{name}.json" for name in STEPS]
    measured = [
        json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None for file in files
    ]
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(filled(text, SECTION, page.section(*measured)), encoding="utf-8")


def main() -> int:
    """Run the steps in order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server in turn ends too
    given = options().parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    asked = given.only.split(",") if given.only else list(STEPS)
    for name in [] if given.page_only else asked:
        try:
            measured = STEPS[name](given)
        except UsageError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        (given.folder / f"{name}.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
        if not given.keep_page:
            fill(given.folder)
    if given.page_only:
        fill(given.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
