"""Finds the ends of utterances that live captions lose, in hours of synthesised speech.

    python -m benchmarks.live_ends [--model base] [--minutes 120] [--step-s 100]

No clock runs: sound comes in blocks of 40 ms, and a window takes ``--engine-share`` of the
processor time that it takes here, on one thread. So the delays are those of a machine that is idle,
also on one that is not; ``--window-ms 43,6.4`` says instead what windows take. With ``--step-s
100`` there are only last windows, which makes it six times as fast.

Ends of words are exact. An end is lost if the last word of an utterance did not come out, nor
another in its place; each is listed with the final texts near it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

from benchmarks.live_accuracy import Model, Piece, Told, add_engine_time, check_events, live
from quest22.bench.live.peers.live_pipe import same_words
from quest22.bench.live.reference import Sound
from quest22.bench.live.score import score
from quest22.bench.live.speech import synthesised
from quest22.bench.live.summary import LiveSummary, Quantiles
from quest22.bench.live.timeline import Timeline, Update
from quest22.records import LiveWord
from quest22.settings.live import LiveSettings

LANGUAGE = "en"
NEAR_S = 3.0
"""Final texts that came so long after an utterance belong to it, perhaps."""


def updates(told: Iterable[Told]) -> Iterator[Update]:
    """What events showed, as the measurements of live programs take it."""
    shown: dict[int, list[str]] = {}
    for each in told:
        event = each.event
        stable = _texts(word for word in event.words if word.stable)
        tail = _texts(word for word in event.words if not word.stable)
        kept = same_words(shown.get(event.segment, []), stable)
        shown[event.segment] = stable
        final = event.type == "final"
        yield Update(
            each.fed_s, event.segment, kept, tuple(stable[kept:]), tuple(tail), final=final
        )


def _texts(words: Iterable[LiveWord]) -> list[str]:
    return [word.text.strip() for word in words]


def report(sound: Sound, told: list[Told]) -> Iterator[str]:
    """The figures, then each lost end."""
    found = score(sound.words, Timeline(updates(told), LANGUAGE))
    summary = LiveSummary.of(found)
    yield (
        f"{summary.utterances} utterances, {summary.lost_tails} ends lost; "
        f"shown {_delays(summary.shown)}, committed {_delays(summary.committed)}, "
        f"final {_delays(summary.final)}; errors {summary.error_rate or 0:.1%}, "
        f"withdrawn {summary.withdrawn or 0:.2f}"
    )
    for number in found.lost_tails:
        said = [word for word in sound.words if word.utterance == number]
        end_s = max((word.end_s for word in said if word.end_s is not None), default=0.0)
        yield f"lost at {end_s:.2f} s: {' '.join(word.text for word in said)}"
        for each in told:
            if each.event.type == "final" and abs(each.fed_s - end_s) <= NEAR_S:
                yield f"    final at {each.fed_s:.2f} s: {each.event.text}"


def _delays(quantiles: Quantiles) -> str:
    if quantiles.median_s is None or quantiles.p95_s is None:
        return "–"
    return f"{quantiles.median_s:.2f} / {quantiles.p95_s:.2f} s"


def options() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_ends")
    parser.add_argument("--model", default="base", help="a name or a folder")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=22, help="of the order of sentences")
    parser.add_argument("--step-s", type=float, default=LiveSettings().step_s)
    add_engine_time(parser, default_share=0.6)
    return parser


def main() -> None:
    """Run the command."""
    given = options().parse_args()
    sound = synthesised(60 * given.minutes, seed=given.seed)
    piece = Piece(sound.name, LANGUAGE, sound.samples, (sound.text,))
    settings = LiveSettings(step_s=given.step_s)
    told, _ = live(Model(given.model, 1), piece, settings, LANGUAGE, given.engine_time)
    check_events(told)
    for line in report(sound, told):
        print(line)


if __name__ == "__main__":
    main()
