"""From what a window forbids to the rules for its tokens, made once for each wish."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from quest22.checkpoint.config import GenerationConfig
from quest22.checkpoint.tokens import TIMESTAMP_STEP_S, Tokens, numeral_tokens
from quest22.decoding.logits_rules import LogitsRules
from quest22.errors import UsageError
from quest22.records import SuppressionOptions

CHECKPOINT_LIST = -1
"""Stands for the tokens that the checkpoint itself suppresses."""


@dataclass(frozen=True, slots=True, eq=False)
class LogitsRulesCache:
    """The rules of one checkpoint with ``vocabulary`` tokens, by what is asked to be suppressed."""

    tokens: Tokens
    generation: GenerationConfig
    vocabulary: int
    _known: dict[SuppressionOptions, LogitsRules] = field(default_factory=dict)

    def rules(self, asked: SuppressionOptions) -> LogitsRules:
        """Raises :class:`UsageError` for a token that the vocabulary does not have."""
        if asked not in self._known:
            self._known[asked] = self._make(asked)
        return self._known[asked]

    def _make(self, asked: SuppressionOptions) -> LogitsRules:
        rules = LogitsRules.of(self.generation, self.vocabulary)
        suppressed = set(self._listed(asked.tokens, rules.suppressed))
        if asked.numerals:
            suppressed |= set(numeral_tokens(self.tokens))
        bound = rules.max_initial_timestamp
        if asked.max_initial_timestamp_s is not None:
            bound = round(asked.max_initial_timestamp_s / TIMESTAMP_STEP_S)
        return replace(
            rules,
            suppressed=tuple(sorted(suppressed)),
            suppressed_first=rules.suppressed_first if asked.blank else (),
            max_initial_timestamp=bound,
        )

    def _listed(self, asked: tuple[int, ...], own: tuple[int, ...]) -> tuple[int, ...]:
        """The tokens of a list; without the checkpoint's own, control tokens all the same."""
        named = tuple(token for token in asked if token != CHECKPOINT_LIST)
        for token in named:
            if not 0 <= token < self.vocabulary:
                raise UsageError(
                    f"suppressed token {token}: expected {CHECKPOINT_LIST} for the model's own "
                    f"list, or a token from 0 to {self.vocabulary - 1}"
                )
        each = self.tokens
        control = (each.transcribe, each.translate, each.sot, each.prev, each.sot_lm)
        return named + (own if CHECKPOINT_LIST in asked else (*control, each.no_speech))
