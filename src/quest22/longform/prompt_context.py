"""The prompt of a window: hotwords, the initial prompt, and the text of the windows before it.

Follows ``transcribe`` of openai/whisper; hotwords follow ``get_prompt`` of faster-whisper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from quest22.longform.window_passes import Vocabulary
from quest22.settings import DecodingSettings

MOST_PREVIOUS = 223
"""Tokens that fit before a window: half of the decoder's positions, less ``<|startofprev|>``."""

RESET_ABOVE = 0.5
"""Text decoded at a higher temperature than this is not used as a prompt."""


@dataclass(frozen=True, slots=True)
class PromptContext:
    """The user's prompts as tokens; the same for every clip.

    ``condition``: text of earlier windows is used too.
    """

    initial: tuple[int, ...] = ()
    hotwords: tuple[int, ...] = ()
    prefix: tuple[int, ...] = ()
    carry_initial: bool = False
    condition: bool = True

    @classmethod
    def of(cls, settings: DecodingSettings, tokens: Vocabulary) -> PromptContext:
        def encoded(text: str | None) -> tuple[int, ...]:
            return tuple(tokens.encode(" " + text.strip())) if text and text.strip() else ()

        return cls(
            initial=encoded(settings.initial_prompt),
            hotwords=encoded(settings.hotwords)[:MOST_PREVIOUS],
            prefix=encoded(settings.prefix)[-MOST_PREVIOUS:],
            carry_initial=settings.carry_initial_prompt,
            condition=settings.condition_on_previous_text,
        )

    def alone(self) -> tuple[int, ...]:
        """The prompt of a window without previous text."""
        return self.with_hotwords(self.initial)

    def with_hotwords(self, previous: tuple[int, ...]) -> tuple[int, ...]:
        """Hotwords, then as much of the end of ``previous`` as fits."""
        room = MOST_PREVIOUS - len(self.hotwords)
        return self.hotwords + (previous[-room:] if room else ())


@dataclass(slots=True, eq=False)
class PreviousText:
    """The tokens of a clip so far; those from ``reset_at`` on prompt the next window."""

    context: PromptContext
    tokens: list[int] = field(init=False)
    reset_at: int = 0

    def __post_init__(self) -> None:
        self.tokens = list(self.context.initial)

    def prompt(self) -> tuple[int, ...]:
        """The prompt of the next window."""
        initial = self.context.initial
        if not self.context.carry_initial:
            return self.context.with_hotwords(tuple(self.tokens[self.reset_at :]))
        room = MOST_PREVIOUS - len(initial)
        rest = self.tokens[max(len(initial), self.reset_at) :]
        # Like the slice in the reference: if the prompt fills all room, nothing is cut here, and
        # the decoder keeps the end of everything.
        return self.context.with_hotwords(initial + tuple(rest[-room:]))

    def add(self, tokens: Iterable[int], temperature: float) -> None:
        """Add the tokens of an accepted window."""
        self.tokens.extend(tokens)
        if not self.context.condition or temperature > RESET_ABOVE:
            self.reset_at = len(self.tokens)
