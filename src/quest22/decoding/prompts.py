"""What the decoder is fed before it chooses for itself, and how far it may go.

The layout is openai/whisper's (``DecodingTask._get_initial_tokens``): what was said before, the
start of the transcript with language, task and timestamps, then a prefix. The limit on length is
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
    """One window's tokens to begin with.

    ``start`` is the place of ``<|startoftranscript|>``; ``budget`` counts the tokens that may be
    chosen, the end of text included.
    """

    tokens: tuple[int, ...]
    start: int
    budget: int
    timestamps: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class PromptBuilder:
    """Makes prompts for one checkpoint whose decoder knows ``positions`` places."""

    tokens: Tokens
    generation: GenerationConfig
    positions: int

    def build(self, decoding: DecodingOptions, language: str | None) -> Prompt:
        """The prompt for a window in ``language``; None where the checkpoint knows but English.

        Of ``previous`` the last 223 tokens are kept. Raises :class:`UsageError` for a language
        or task the checkpoint does not know, or where nothing could be chosen: no tokens asked
        for, or a prefix that fills all places.
        """
        before = self._previous(decoding)
        start = self.tokens.initial_tokens(language, decoding.task, timestamps=decoding.timestamps)
        prompt = (*before, *start, *decoding.prefix)
        if len(prompt) >= self.positions:
            raise UsageError(
                f"the prompt has {len(prompt)} tokens, {len(decoding.prefix)} of them prefix: "
                f"expected fewer than {self.positions} in all; give a shorter prefix"
            )
        budget = self._budget(decoding.max_new_tokens, len(prompt))
        return Prompt(prompt, len(before), budget, decoding.timestamps)

    def _previous(self, decoding: DecodingOptions) -> tuple[int, ...]:
        if not decoding.previous:
            return ()
        return (self.tokens.prev, *decoding.previous[-(self.positions // 2 - 1) :])

    def _budget(self, asked: int | None, length: int) -> int:
        if asked is not None and asked < 1:
            raise UsageError(f"the maximum of new tokens is {asked}: expected 1 or more")
        if asked is not None:
            return min(asked, self.positions - length + 1)  # the last is chosen, but never fed
        grown = self.generation.max_length + min(self.positions // 2 - 1, length)
        return max(min(grown, self.positions) - length, 1)
