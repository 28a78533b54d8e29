"""Which tokens may come next: suppression and the grammar of timestamps, on logits.

Works on NumPy arrays in place; knows nothing of models. The rules are those of openai/whisper
(``SuppressBlank``, ``SuppressTokens`` and ``ApplyTimestampRules`` in ``decoding.py``) with the
lists that a checkpoint's ``generation_config.json`` gives, as Transformers reads them.
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
class Rules:
    """What a checkpoint forbids; ``timestamp_begin`` is the token of 0.00 s."""

    end_of_text: int
    timestamp_begin: int
    suppressed: tuple[int, ...] = ()
    suppressed_first: tuple[int, ...] = ()
    max_initial_timestamp: int | None = None

    @classmethod
    def of(cls, generation: GenerationConfig, vocabulary: int) -> Rules:
        """The rules of a checkpoint with ``vocabulary`` tokens."""
        no_timestamps = generation.no_timestamps_token_id
        return cls(
            end_of_text=generation.eos_token_id,
            timestamp_begin=vocabulary if no_timestamps is None else no_timestamps + 1,
            suppressed=_within(generation.suppress_tokens, vocabulary),
            suppressed_first=_within(generation.begin_suppress_tokens, vocabulary),
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
        for row, tokens, timed in zip(logits, sampled, timestamps, strict=True):
            if not tokens:
                row[list(self.suppressed_first)] = NEVER
            if timed:
                self._keep_grammar(row, tokens)

    def _keep_grammar(self, row: Logits, tokens: Sequence[int]) -> None:
        begin = self.timestamp_begin
        row[begin - 1] = NEVER  # <|notimestamps|>
        self._keep_pairs(row, tokens)
        if not tokens:
            row[:begin] = NEVER
            if self.max_initial_timestamp is not None:
                row[begin + self.max_initial_timestamp + 1 :] = NEVER
        elif _log_sum_exp(row[begin:]) > row[:begin].max():
            row[:begin] = NEVER  # together, the timestamps are likelier than any text

    def _keep_pairs(self, row: Logits, tokens: Sequence[int]) -> None:
        """Timestamps come in pairs and never decrease."""
        begin = self.timestamp_begin
        last = bool(tokens) and tokens[-1] >= begin
        before = len(tokens) < 2 or tokens[-2] >= begin
        if last and before:
            row[begin:] = NEVER
        elif last:
            row[: self.end_of_text] = NEVER
        latest = next((token for token in reversed(tokens) if token >= begin), None)
        if latest is not None:
            row[begin : latest + (0 if last and not before else 1)] = NEVER


def _within(tokens: Sequence[int], vocabulary: int) -> tuple[int, ...]:
    return tuple(token for token in tokens if token < vocabulary)


def _log_sum_exp(values: Logits) -> float:
    highest = values.max(initial=NEVER)
    if highest == NEVER:
        return float(highest)
    return float(highest + np.log(np.exp(values - highest).sum()))
