"""One window's search for its tokens: the common face of sampling and of beams.

The roles are those of openai/whisper's ``decoding.py`` (token decoder and sequence ranker).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from quest22.decoding.logits_rules import Logits, LogitsRules
from quest22.decoding.prompts import Prompt
from quest22.records import SearchOptions


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """What is to be found for one window: how it begins, what is forbidden, how to search."""

    prompt: Prompt
    rules: LogitsRules
    search: SearchOptions = field(default_factory=SearchOptions)
    temperature: float = 0.0

    @property
    def num_beams(self) -> int:
        """Rows that the window takes: hypotheses that are followed side by side."""
        return num_beams(self.search, self.temperature)


def num_beams(search: SearchOptions, temperature: float) -> int:
    """Beams at temperature 0, samples above it."""
    return search.best_of if temperature > 0 else search.beam_size


@dataclass(frozen=True, slots=True)
class Candidate:
    """Tokens without the end of text, and the sum of all log-probabilities, that end included."""

    tokens: tuple[int, ...]
    sum_logprob: float

    @property
    def avg_logprob(self) -> float:
        """As openai/whisper counts: the end of text is one more token."""
        return self.sum_logprob / (len(self.tokens) + 1)


class TokenDecoder(Protocol):
    """A window's hypotheses on their way: row by row, all equally long."""

    chosen: list[list[int]]

    @property
    def done(self) -> bool:
        """Whether nothing more is to be chosen."""
        ...

    def choose(self, logits: Logits) -> list[int]:
        """Choose a token for every row by its ruled ``logits [rows, vocabulary]``.

        Row i then continues the row that the i-th result names. May use ``logits`` up. Raises
        :class:`quest22.errors.EngineError` where logits are not numbers.
        """
        ...

    def candidates(self) -> list[Candidate]:
        """All that was found, once done."""
        ...


def rank(candidates: Sequence[Candidate], length_penalty: float | None) -> Candidate:
    """The likeliest by its mean log-probability, or by a penalty on length (Wu et al., 2016)."""

    def score(candidate: Candidate) -> float:
        length = len(candidate.tokens)
        if length_penalty is None:
            return candidate.sum_logprob / max(length, 1)
        evened: float = ((5 + length) / 6) ** length_penalty
        return candidate.sum_logprob / evened

    return max(candidates, key=score)
