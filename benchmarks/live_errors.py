"""By how much live text is worse than offline text, recording by recording, and what chance makes.

Recordings are joined before they are transcribed, so their texts are aligned as one. Knows texts
and events; no sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quest22.evaluation.bootstrap import Bootstrap, ClipCounts
from quest22.evaluation.score import ErrorRate
from quest22.evaluation.texts import compared
from quest22.evaluation.word_diff import align_words
from quest22.records import LiveEvent

KINDS = ("offline", "final", "committed")
_ONE = {
    "equal": ErrorRate(hits=1),
    "substitute": ErrorRate(substitutions=1),
    "delete": ErrorRate(deletions=1),
    "insert": ErrorRate(insertions=1),
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """The errors of the texts of one recording.

    ``committed`` counts the words that were committed before their segments ended, beside what had
    been said until there.
    """

    offline: ErrorRate
    final: ErrorRate
    committed: ErrorRate


def summed(counts: Iterable[Recorded], kind: str) -> ErrorRate:
    """The errors of one of the ``KINDS`` in all recordings."""
    return sum((getattr(each, kind) for each in counts), ErrorRate())


def committed_units(
    events: Iterable[LiveEvent], language: str | None
) -> tuple[list[str], list[bool]]:
    """The words of the final texts; of each, whether it was committed before its segment's end."""
    early: dict[int, str] = {}
    heard: list[str] = []
    is_early: list[bool] = []
    for event in events:
        if event.type == "final":
            words = _units(event.text, language)
            before = len(_units(early.get(event.segment, ""), language))
            heard += words
            is_early += [at < before for at in range(len(words))]
        else:
            stable = "".join(word.text for word in event.words if word.stable)
            early[event.segment] = stable
    return heard, is_early


def errors_by_recording(
    texts: Sequence[str],
    heard: Sequence[str],
    language: str | None,
    counts: Sequence[bool] | None = None,
) -> list[ErrorRate]:
    """The errors of joined recordings in each of them, in the unit of the language.

    Their texts are aligned as one, since words may come in another one's sound; a word that nobody
    said belongs to the recording of the word before it. ``counts``: whether each word heard does,
    and what was left out before it; None: all do.
    """
    said = [_units(text, language) for text in texts]
    of = [number for number, units in enumerate(said) for _ in units]
    is_counted = [True] * (len(heard) + 1) if counts is None else [*counts, False]
    errors = [ErrorRate()] * len(texts)
    at = place = 0
    for span in align_words([unit for units in said for unit in units], heard):
        for step in range(max(len(span.reference), len(span.hypothesis))):
            is_said = step < len(span.reference)
            number = of[at + step] if is_said else of[at - 1] if at else 0
            if is_counted[place + step if span.hypothesis else place]:
                errors[number] += _ONE[span.kind]
        at += len(span.reference)
        place += len(span.hypothesis)
    return errors


def recorded(
    texts: Sequence[str], events: Iterable[LiveEvent], offline_text: str, language: str | None
) -> list[Recorded]:
    """The errors in each of joined recordings, in which ``texts`` were said."""
    heard, is_early = committed_units(events, language)
    offline = errors_by_recording(texts, _units(offline_text, language), language)
    final = errors_by_recording(texts, heard, language)
    committed = errors_by_recording(texts, heard, language, is_early)
    return list(map(Recorded, offline, final, committed))


def _units(text: str, language: str | None) -> list[str]:
    """The words (or characters) of a text as they are compared.

    English texts that end in "..." keep a full stop, as by openai/whisper's normaliser; where
    segments are joined it is no word.
    """
    units, _ = compared(text, "", language).units()
    return [unit for unit in units if any(map(str.isalnum, unit))]


def differences(counts: Sequence[Recorded]) -> Iterator[str]:
    """By how much live text is worse than offline text, with the bounds of chance."""
    offline = summed(counts, "offline")
    for kind in KINDS[1:]:
        errors = summed(counts, kind)
        if errors.rate is None or offline.rate is None:
            continue
        bounds = difference_bounds(counts, kind)
        between = f" ({bounds[0]:+.1%} to {bounds[1]:+.1%})" if bounds else ""
        yield (
            f"{kind} − offline: {errors.rate - offline.rate:+.1%}{between}; {errors.errors} errors "
            f"in {errors.total} words, offline {offline.errors} in {offline.total}, "
            f"{len(counts)} recordings"
        )


def difference_bounds(counts: Sequence[Recorded], kind: str) -> tuple[float, float] | None:
    """Bounds of an error rate's difference to the offline one, in 95 of 100 drawings.

    None for fewer than two recordings.
    """
    live = np.array([(getattr(each, kind).errors, getattr(each, kind).total) for each in counts])
    offline = np.array([(each.offline.errors, each.offline.total) for each in counts])

    def difference(drawn: ClipCounts) -> float | None:
        (errors, total), (missed, words) = live[drawn].sum(axis=0), offline[drawn].sum(axis=0)
        return errors / total - missed / words if total and words else None

    return Bootstrap().bounds(len(counts), difference)
