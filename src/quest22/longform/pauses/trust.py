"""Whether a hypothesis can be what was said: neither a loop, nor too much text, nor improbable.

The first rules are openai/whisper's (compression ratio, mean log-probability). Two more find
shorter loops: more letters a second than people say, and syllables or words said over and over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from quest22.checkpoint.word_splitting import UNSPACED
from quest22.decoding.fallback import Fallback
from quest22.longform.window_passes import Vocabulary
from quest22.records import Hypothesis

MAX_LETTERS_PER_S = 35
"""Fast speakers reach 25 in German; loops exceed this."""

DOUBLED_WORDS = 4
DOUBLED_CHARACTERS = 8
"""A run of this many units that comes twice in a row is a loop, not emphasis."""

STUTTER = re.compile(r"(\w{2,8}?)\1{5,}|(\w)\2{11,}")
"""A syllable six times, or a letter twelve times in a row, no laughter and no number."""

LANGUAGE_WEIGHT = 0.05
"""How much the log-probability of a language counts beside that of the text in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """The rules; thresholds are the fallback's."""

    fallback: Fallback
    vocabulary: Vocabulary

    def is_trusted(self, hypothesis: Hypothesis, duration_s: float) -> bool:
        """Whether a hypothesis for ``duration_s`` seconds of audio needs no further try."""
        threshold = self.fallback.thresholds.logprob_threshold
        probable = threshold is None or hypothesis.avg_logprob >= threshold
        return probable and self.is_sane(hypothesis, duration_s)

    def is_sane(self, hypothesis: Hypothesis, duration_s: float) -> bool:
        """Whether the text is neither repetitive nor too long for its audio."""
        text = self.text(hypothesis).strip()
        if self.fallback.is_repetitive(text or "a"):
            return False
        if len(text) > MAX_LETTERS_PER_S * max(duration_s, 1.0):
            return False
        return not STUTTER.search(text) and not is_doubled(text, hypothesis.language)

    def rank(self, hypothesis: Hypothesis, duration_s: float) -> tuple[bool, float]:
        """The better of two hypotheses for the same audio has the higher rank."""
        return self.is_sane(hypothesis, duration_s), hypothesis.avg_logprob

    def rank_in_language(
        self, hypothesis: Hypothesis, probability: float, duration_s: float
    ) -> tuple[bool, float]:
        """The rank of a hypothesis in a language that was detected with some probability."""
        sane, logprob = self.rank(hypothesis, duration_s)
        return sane, logprob + LANGUAGE_WEIGHT * log(max(probability, 1e-6))

    def text(self, hypothesis: Hypothesis) -> str:
        eot = self.vocabulary.eot
        return self.vocabulary.decode([token for token in hypothesis.tokens if token < eot])


def is_doubled(text: str, language: str | None) -> bool:
    """Whether some words come twice in a row; characters in languages without spaces."""
    if language in UNSPACED:
        return _repeats([*text.replace(" ", "")], DOUBLED_CHARACTERS)
    return _repeats([word.strip('.,!?;:"').lower() for word in text.split()], DOUBLED_WORDS)


def _repeats(units: Sequence[str], least: int) -> bool:
    """Whether a run of at least ``least`` units is followed by the same run."""
    for size in range(least, len(units) // 2 + 1):
        same = 0
        for unit, later in zip(units, units[size:], strict=False):
            same = same + 1 if unit == later else 0
            if same == size:
                return True
    return False
