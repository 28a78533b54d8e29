"""Requests to decode a window, and the common interface of all searches.

The roles are those of openai/whisper's ``decoding.py``: a token decoder, implemented by
:mod:`quest22.decoding.sampling` and :mod:`quest22.decoding.beam_search`, and a sequence ranker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from quest22.decoding.logits_rules import LogitsRules
from quest22.decoding.logprobs import Logits
from quest22.decoding.prompts import Prompt
from quest22.records import SearchOptions


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """How to decode one window: its prompt, the rules for its tokens, the search.

    ``alignment``: the window will be aligned afterwards, so its cross-attention keys and values
    must outlive the search.
    """

    prompt: Prompt
    rules: LogitsRules
    search: SearchOptions = field(default_factory=SearchOptions)
    temperature: float = 0.0
    alignment: bool = False

    @property
    def num_beams(self) -> int:
        """The number of rows that the window takes in a batch: hypotheses followed in parallel."""
        return num_beams(self.search, self.temperature)


def num_beams(search: SearchOptions, temperature: float) -> int:
    """Beams at temperature 0, samples above it."""
    return search.best_of if temperature > 0 else search.beam_size


@dataclass(frozen=True, slots=True)
class DecodeResult:
    """The tokens chosen after a prompt, without the end of text.

    ``avg_logprob`` is the mean log-probability of the tokens by the filtered logits, end of text
    included, as openai/whisper counts it. ``no_speech_prob`` is the probability of
    ``<|nospeech|>`` right after ``<|startoftranscript|>``.
    """

    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float


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
    """The hypotheses of one window, one per row, all of the same length.

    ``sampled`` holds the tokens chosen so far in each row, without the prompt.
    """

    sampled: list[list[int]]

    @property
    def completed(self) -> bool:
        """Whether the search is finished."""
        ...

    def update(self, logits: Logits) -> list[int]:
        """Choose a token for every row by its filtered ``logits [rows, vocabulary]``.

        Row i then continues the row given by the i-th result. May overwrite ``logits``. Raises
        :class:`quest22.errors.EngineError` if logits are not finite.
        """
        ...

    def candidates(self) -> list[Candidate]:
        """All hypotheses, once completed."""
        ...


def rank(candidates: Sequence[Candidate], length_penalty: float | None) -> Candidate:
    """The best by its mean log-probability, or by a length penalty (Wu et al., 2016, section 7).

    Equals ``MaximumLikelihoodRanker`` of openai/whisper.
    """

    def score(candidate: Candidate) -> float:
        length = len(candidate.tokens)
        if length_penalty is None:
            return candidate.sum_logprob / max(length, 1)
        penalty: float = ((5 + length) / 6) ** length_penalty
        return candidate.sum_logprob / penalty

    return max(candidates, key=score)
