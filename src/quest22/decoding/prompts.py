"""The prompt of a window, and how many tokens may follow it.

The layout is openai/whisper's (``DecodingTask._get_initial_tokens``): the previous text, the start
of the transcript with language, task and timestamps, then a prefix. The limit on length is
Transformers' (``WhisperGenerationMixin._set_max_new_tokens_and_length``).
"""

from __future__ import annotations

from dataclasses import dataclass

from quest22.checkpoint.config import GenerationConfig
from quest22.checkpoint.tokens import Tokens
from quest22.errors import UsageError
from quest22.records import DecodingOptions


@dataclass(frozen=True, slots=True)
class Prompt:
    """The tokens that a window's decoder is fed first.

    ``sot_index`` is the position of ``<|startoftranscript|>`` among them. At most
    ``max_new_tokens`` are chosen after them, the end of text included.
    """

    tokens: tuple[int, ...]
    sot_index: int
    max_new_tokens: int
    timestamps: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class PromptBuilder:
    """Builds prompts for a checkpoint whose decoder has ``positions`` positions (448)."""

    tokens: Tokens
    generation: GenerationConfig
    positions: int

    def build(self, decoding: DecodingOptions, language: str | None) -> Prompt:
        """The prompt for a window in ``language``; None for an English-only checkpoint.

        Only the last 223 tokens of the previous text are used. Raises :class:`UsageError` for a
        language or task that the checkpoint does not support, and if no token could be chosen: for
        a limit below 1, or a prefix that fills all positions.
        """
        before = self._previous(decoding)
        start = self.tokens.initial_tokens(language, decoding.task, timestamps=decoding.timestamps)
        prompt = (*before, *start, *decoding.prefix)
        if len(prompt) >= self.positions:
            raise UsageError(
                f"the prompt has {len(prompt)} tokens, {len(decoding.prefix)} of them prefix: "
                f"expected fewer than {self.positions} in all; give a shorter prefix"
            )
        max_new_tokens = self._max_new_tokens(decoding.max_new_tokens, len(prompt))
        return Prompt(prompt, len(before), max_new_tokens, decoding.timestamps)

    def _previous(self, decoding: DecodingOptions) -> tuple[int, ...]:
        if not decoding.previous:
            return ()
        return (self.tokens.prev, *decoding.previous[-(self.positions // 2 - 1) :])

    def _max_new_tokens(self, limit: int | None, length: int) -> int:
        if limit is not None and limit < 1:
            raise UsageError(f"the maximum of new tokens is {limit}: expected 1 or more")
        if limit is not None:
            return min(limit, self.positions - length + 1)  # the last is chosen, but never fed
        grown = self.generation.max_length + min(self.positions // 2 - 1, length)
        return max(min(grown, self.positions) - length, 1)
