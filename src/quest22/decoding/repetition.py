"""What makes loops less likely: a penalty on tokens that came before, and n-grams only once.

Both look at the tokens chosen for a window, timestamps included and its prompt not, as
faster-whisper's decoder does (CTranslate2's ``RepetitionPenalty`` and ``NoRepeatNgram``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quest22.decoding.logits_rules import NEVER, Logits


def penalize_repetition(row: Logits, tokens: Sequence[int], penalty: float) -> None:
    """Make the tokens that came before less likely by a factor, in logits ``[vocabulary]``."""
    seen = np.unique(np.array(tokens, np.int64))
    scores = row[seen]
    row[seen] = np.where(scores < 0, scores * np.float32(penalty), scores / np.float32(penalty))


def block_repeated_ngrams(row: Logits, tokens: Sequence[int], size: int) -> None:
    """Forbid tokens that would end an n-gram of ``size`` tokens that was there before."""
    if len(tokens) < size:
        return
    stem = list(tokens[len(tokens) - size + 1 :])
    ends = [
        tokens[at + size - 1]
        for at in range(len(tokens) - size + 1)
        if list(tokens[at : at + size - 1]) == stem
    ]
    row[ends] = NEVER
