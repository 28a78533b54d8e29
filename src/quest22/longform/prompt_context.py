"""What goes before a window: initial prompt, hotwords, and the text of the windows before it.

Follows ``transcribe`` of openai/whisper; hotwords follow ``get_prompt`` of faster-whisper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from quest22.longform.window_passes import Vocabulary
from quest22.settings import DecodingSettings

MOST_PREVIOUS = 223
"""Tokens that fit before a window: half of the decoder's places, less the one that opens them."""

RESET_ABOVE = 0.5
"""A text that was heard at a higher temperature than this is not built on."""


@dataclass(frozen=True, slots=True)
class PromptContext:
    """What every clip begins with, in tokens."""

    initial: tuple[int, ...] = ()
    hotwords: tuple[int, ...] = ()
    prefix: tuple[int, ...] = ()
    carry_initial: bool = False
    condition: bool = True

    @classmethod
    def of(cls, settings: DecodingSettings, tokens: Vocabulary) -> PromptContext:
        def spoken(text: str | None) -> tuple[int, ...]:
            return tuple(tokens.encode(" " + text.strip())) if text and text.strip() else ()

        return cls(
            initial=spoken(settings.initial_prompt),
            hotwords=spoken(settings.hotwords)[:MOST_PREVIOUS],
            prefix=spoken(settings.prefix)[-MOST_PREVIOUS:],
            carry_initial=settings.carry_initial_prompt,
            condition=settings.condition_on_previous_text,
        )

    def alone(self) -> tuple[int, ...]:
        """What stands before a window that knows of no other."""
        return self.with_hotwords(self.initial)

    def with_hotwords(self, previous: tuple[int, ...]) -> tuple[int, ...]:
        """Hotwords, then as much of the end of ``previous`` as there is room for."""
        room = MOST_PREVIOUS - len(self.hotwords)
        return self.hotwords + (previous[-room:] if room else ())


@dataclass(slots=True, eq=False)
class PreviousText:
    """The tokens of a clip so far, and from where on they are built on."""

    preamble: PromptContext
    tokens: list[int] = field(init=False)
    begun: int = 0

    def __post_init__(self) -> None:
        self.tokens = list(self.preamble.initial)

    def prompt(self) -> tuple[int, ...]:
        """What stands before the next window."""
        initial = self.preamble.initial
        if not self.preamble.carry_initial:
            return self.preamble.with_hotwords(tuple(self.tokens[self.begun :]))
        room = MOST_PREVIOUS - len(initial)
        rest = self.tokens[max(len(initial), self.begun) :]
        # As the reference slices: where the prompt fills all room, none of the rest is left out
        # here, and the decoder keeps the end of it all.
        return self.preamble.with_hotwords(initial + tuple(rest[-room:]))

    def add(self, tokens: Iterable[int], temperature: float) -> None:
        """Take the tokens of a window that counts."""
        self.tokens.extend(tokens)
        if not self.preamble.condition or temperature > RESET_ABOVE:
            self.begun = len(self.tokens)
