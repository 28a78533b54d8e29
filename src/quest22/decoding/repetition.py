"""Options against loops: a penalty on repeated tokens, a ban on repeated n-grams, an early end.

All look at the tokens chosen for a window, with timestamps and without the prompt. The first two
do as faster-whisper's decoder does (CTranslate2's ``RepetitionPenalty`` and ``NoRepeatNgram``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quest22.decoding.logits_rules import NEVER
from quest22.decoding.logprobs import Logits


def penalize_repetition(row: Logits, tokens: Sequence[int], penalty: float) -> None:
    """Make tokens that came before less probable, in logits ``[vocabulary]``, in place.

    Positive logits are divided by ``penalty``, negative ones multiplied (Keskar et al., 2019).
    """
    seen = np.unique(np.array(tokens, np.int64))
    scores = row[seen]
    row[seen] = np.where(scores < 0, scores * np.float32(penalty), scores / np.float32(penalty))


def block_repeated_ngrams(row: Logits, tokens: Sequence[int], size: int) -> None:
    """Forbid tokens that would repeat an n-gram of ``size`` tokens, in logits ``[vocabulary]``."""
    if len(tokens) < size:
        return
    stem = list(tokens[len(tokens) - size + 1 :])
    ends = [
        tokens[at + size - 1]
        for at in range(len(tokens) - size + 1)
        if list(tokens[at : at + size - 1]) == stem
    ]
    row[ends] = NEVER


def ends_in_loop(tokens: Sequence[int], max_repeats: int) -> bool:
    """Whether the last tokens have come more than ``max_repeats`` times in a row."""
    times = max_repeats + 1
    for size in range(1, len(tokens) // times + 1):
        if all(tokens[-at] == tokens[-at - size] for at in range(1, size * max_repeats + 1)):
            return True
    return False
