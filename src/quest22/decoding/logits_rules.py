"""Which tokens may come next: suppression and the grammar of timestamps, on logits.

Works on NumPy arrays in place, a batch at once; knows nothing of models. The rules are those of
openai/whisper (``SuppressBlank``, ``SuppressTokens`` and ``ApplyTimestampRules`` in
``decoding.py``) with the lists that a checkpoint's ``generation_config.json`` gives, as
Transformers reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.config import GenerationConfig

Logits = NDArray[np.float32]
NEVER = np.float32(-np.inf)


@dataclass(frozen=True, slots=True)
class LogitsRules:
    """What is forbidden; ``timestamp_begin`` is the token of 0.00 s."""

    end_of_text: int
    timestamp_begin: int
    suppressed: tuple[int, ...] = ()
    suppressed_first: tuple[int, ...] = ()
    max_initial_timestamp: int | None = None

    @classmethod
    def of(cls, generation: GenerationConfig, vocabulary: int) -> LogitsRules:
        """The rules of a checkpoint with ``vocabulary`` tokens."""
        no_timestamps = generation.no_timestamps_token_id
        return cls(
            end_of_text=generation.eos_token_id,
            timestamp_begin=vocabulary if no_timestamps is None else no_timestamps + 1,
            suppressed=within(generation.suppress_tokens, vocabulary),
            suppressed_first=within(generation.begin_suppress_tokens, vocabulary),
            max_initial_timestamp=generation.max_initial_timestamp_index,
        )

    def apply(
        self, logits: Logits, sampled: Sequence[Sequence[int]], timestamps: Sequence[bool]
    ) -> None:
        """Set forbidden tokens of ``logits [B, vocabulary]`` to minus infinity.

        ``sampled`` holds the tokens chosen so far in each row, without its prompt;
        ``timestamps`` says which rows follow the grammar of timestamps.
        """
        logits[:, list(self.suppressed)] = NEVER
        firsts = [place for place, tokens in enumerate(sampled) if not tokens]
        logits[np.ix_(firsts, self.suppressed_first)] = NEVER
        timed = [place for place, follows in enumerate(timestamps) if follows]
        for place in timed:
            self._keep_grammar(logits[place], sampled[place])
        if timed:
            self._prefer_timestamps(logits, timed)

    def _keep_grammar(self, row: Logits, tokens: Sequence[int]) -> None:
        """Leave one range of text and control tokens and one of timestamps."""
        begin = self.timestamp_begin
        text_from, (first, last) = self._text_from(tokens), self._timestamps(tokens)
        row[:text_from] = NEVER
        row[begin - 1] = NEVER  # <|notimestamps|>
        row[begin : begin + first] = NEVER
        if last is not None:
            row[begin + last + 1 :] = NEVER

    def _text_from(self, tokens: Sequence[int]) -> int:
        """At first none but timestamps; a timestamp that ends text is not followed by text."""
        if not tokens:
            return self.timestamp_begin
        return self.end_of_text if self._ends_text(tokens) else 0

    def _timestamps(self, tokens: Sequence[int]) -> tuple[int, int | None]:
        """The first and the last that may come, counted in steps from 0.00 s; None: no limit.

        They come in pairs and never decrease, and text lasts longer than no time.
        """
        if not tokens:
            return 0, self.max_initial_timestamp
        begin = self.timestamp_begin
        if tokens[-1] >= begin and not self._ends_text(tokens):
            return 0, -1
        latest = next((token for token in reversed(tokens) if token >= begin), begin - 1)
        return latest - begin + (0 if self._ends_text(tokens) else 1), None

    def _ends_text(self, tokens: Sequence[int]) -> bool:
        """Whether the last token is a timestamp after text."""
        begin = self.timestamp_begin
        return len(tokens) > 1 and tokens[-1] >= begin > tokens[-2]

    def _prefer_timestamps(self, logits: Logits, timed: Sequence[int]) -> None:
        """Where timestamps together are likelier than any text, nothing else may come."""
        begin = self.timestamp_begin
        rows = logits if len(timed) == len(logits) else logits[timed]
        together = log_sum_exp(rows[:, begin:])
        likelier = together > rows[:, :begin].max(axis=1)
        logits[np.array(timed)[likelier], :begin] = NEVER


def log_sum_exp(values: Logits) -> NDArray[np.float32]:
    """The logarithm of summed exponentials of each row of ``[B, n]``; of nothing, -inf."""
    highest = values.max(axis=1, initial=NEVER)
    finite = np.where(highest == NEVER, np.float32(0), highest)
    with np.errstate(divide="ignore"):
        sums: NDArray[np.float32] = finite + np.log(np.exp(values - finite[:, None]).sum(axis=1))
    return sums


def within(tokens: Sequence[int], vocabulary: int) -> tuple[int, ...]:
    """Those of ``tokens`` that a vocabulary of such a size has."""
    return tuple(token for token in tokens if token < vocabulary)
