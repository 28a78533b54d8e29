"""Which tokens may come next: suppression and the timestamp grammar, applied to logits.

Works on NumPy arrays in place, a batch at a time; knows nothing of models. The rules are those of
openai/whisper (``SuppressBlank``, ``SuppressTokens`` and ``ApplyTimestampRules`` in
``decoding.py``) with the lists of a checkpoint's ``generation_config.json``, read as Transformers
reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from quest22.checkpoint.config import GenerationConfig
from quest22.checkpoint.tokens import TIMESTAMP_STEP_S, Tokens, numeral_tokens
from quest22.decoding.logprobs import Logits, log_sum_exp
from quest22.errors import UsageError
from quest22.records import SuppressionOptions

NEVER = np.float32(-np.inf)
CHECKPOINT_LIST = -1
"""Stands for the tokens that the checkpoint itself suppresses."""


@dataclass(frozen=True, slots=True)
class LogitsRules:
    """Which tokens are forbidden; ``timestamp_begin`` is the token of 0.00 s.

    ``suppressed`` applies everywhere, ``suppressed_first`` to the first token after the prompt.
    ``max_initial_timestamp`` counts steps of 0.02 s; None: no limit.
    """

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
            suppressed=_within(generation.suppress_tokens, vocabulary),
            suppressed_first=_within(generation.begin_suppress_tokens, vocabulary),
            max_initial_timestamp=generation.max_initial_timestamp_index,
        )

    def apply(
        self, logits: Logits, sampled: Sequence[Sequence[int]], timestamps: Sequence[bool]
    ) -> None:
        """Set forbidden tokens of ``logits [B, vocabulary]`` to minus infinity.

        ``sampled`` holds the tokens chosen so far in each row, without its prompt;
        ``timestamps`` says which rows follow the timestamp grammar.
        """
        logits[:, list(self.suppressed)] = NEVER
        firsts = [row for row, tokens in enumerate(sampled) if not tokens]
        logits[np.ix_(firsts, self.suppressed_first)] = NEVER
        timed = [row for row, follows in enumerate(timestamps) if follows]
        for row in timed:
            self._apply_timestamp_grammar(logits[row], sampled[row])
        if timed:
            self._prefer_timestamps(logits, timed)

    def _apply_timestamp_grammar(self, row: Logits, tokens: Sequence[int]) -> None:
        """Leave one range of text and control tokens and one of timestamps."""
        begin = self.timestamp_begin
        text_from, (first, last) = self._text_from(tokens), self._timestamps(tokens)
        row[:text_from] = NEVER
        row[begin - 1] = NEVER  # <|notimestamps|>
        row[begin : begin + first] = NEVER
        if last is not None:
            row[begin + last + 1 :] = NEVER

    def _text_from(self, tokens: Sequence[int]) -> int:
        """The first allowed token that is not a timestamp.

        A window begins with a timestamp; a timestamp that ends text is not followed by text.
        """
        if not tokens:
            return self.timestamp_begin
        return self.end_of_text if self._ends_text(tokens) else 0

    def _timestamps(self, tokens: Sequence[int]) -> tuple[int, int | None]:
        """The first and the last allowed timestamp, in steps from 0.00 s; None: no limit.

        Timestamps come in pairs and never decrease, and the duration of text is above 0.
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
        """If all timestamps together are more probable than any text token, forbid the rest."""
        begin = self.timestamp_begin
        rows = logits if len(timed) == len(logits) else logits[timed]
        highest = rows[:, begin:].max(axis=1, initial=NEVER)
        finite = np.where(highest == NEVER, np.float32(0), highest)
        with np.errstate(divide="ignore"):  # no timestamp is allowed: the logarithm of 0
            together = log_sum_exp(rows[:, begin:], finite)
        preferred = together > rows[:, :begin].max(axis=1)
        logits[np.array(timed)[preferred], :begin] = NEVER


@dataclass(frozen=True, slots=True, eq=False)
class LogitsRulesCache:
    """The rules of a checkpoint with ``vocabulary`` tokens, built once for each set of options."""

    tokens: Tokens
    generation: GenerationConfig
    vocabulary: int
    _built: dict[SuppressionOptions, LogitsRules] = field(default_factory=dict)

    def rules(self, options: SuppressionOptions) -> LogitsRules:
        """Raises :class:`UsageError` for a token that the vocabulary does not have."""
        if options not in self._built:
            self._built[options] = self._build(options)
        return self._built[options]

    def _build(self, options: SuppressionOptions) -> LogitsRules:
        rules = LogitsRules.of(self.generation, self.vocabulary)
        suppressed = set(self._suppressed(options.tokens, rules.suppressed))
        if options.numerals:
            suppressed |= set(numeral_tokens(self.tokens))
        max_initial_timestamp = rules.max_initial_timestamp
        if options.max_initial_timestamp_s is not None:
            max_initial_timestamp = round(options.max_initial_timestamp_s / TIMESTAMP_STEP_S)
        return replace(
            rules,
            timestamp_begin=self.tokens.timestamp_begin,  # the checkpoint need not say it
            suppressed=tuple(sorted(suppressed)),
            suppressed_first=rules.suppressed_first if options.blank else (),
            max_initial_timestamp=max_initial_timestamp,
        )

    def _suppressed(self, listed: tuple[int, ...], own: tuple[int, ...]) -> tuple[int, ...]:
        """The tokens of a list, with ``own`` in place of -1; without it, control tokens anyway."""
        named = tuple(token for token in listed if token != CHECKPOINT_LIST)
        for token in named:
            if not 0 <= token < self.vocabulary:
                raise UsageError(
                    f"suppressed token {token}: expected {CHECKPOINT_LIST} for the model's own "
                    f"list, or a token from 0 to {self.vocabulary - 1}"
                )
        each = self.tokens
        control = (each.transcribe, each.translate, each.sot, each.prev, each.sot_lm)
        return named + (own if CHECKPOINT_LIST in listed else (*control, each.no_speech))


def _within(tokens: Sequence[int], vocabulary: int) -> tuple[int, ...]:
    """Those of ``tokens`` that a vocabulary of such a size has."""
    return tuple(token for token in tokens if token < vocabulary)
