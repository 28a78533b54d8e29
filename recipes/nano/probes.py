"""Word timings beside the synthesisers' own marks."""

from __future__ import annotations

from collections.abc import Sequence

from quest22.records import Word
from recipes.nano.narration import Narration


def word_start_errors(trial: Narration, found: Sequence[Word]) -> list[float]:
    """Distances (s) of word starts from the marks of a trial of one sentence.

    Empty where the words are not all right, or where the synthesiser told no marks.
    """
    said = trial.said[0]
    if not said.marked or [word.text.strip() for word in found] != said.text.split():
        return []
    pairs = zip(found, said.word_starts_s, strict=True)
    return [abs(word.start_s - true_s) for word, true_s in pairs]
