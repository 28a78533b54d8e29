"""How the windows of a clip are decoded: options, prompts, and which hypotheses are accepted.

Prompts follow ``transcribe`` of openai/whisper; hotwords follow ``get_prompt`` of faster-whisper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from quest22.decoding.fallback import Fallback
from quest22.decoding.words import WordTimer
from quest22.longform.hallucination import HallucinationFilter
from quest22.longform.window_passes import Vocabulary
from quest22.records import FRAMES_PER_S, DecodingOptions, Hypothesis, Segment, Window
from quest22.settings import DecodingSettings, HallucinationSettings

MAX_PREVIOUS_TOKENS = 223
"""Tokens that fit before a window: half of the decoder's positions, less ``<|startofprev|>``.

:class:`quest22.decoding.prompts.PromptBuilder` cuts to what the checkpoint's decoder has.
"""

RESET_ABOVE = 0.5
"""Text decoded at a higher temperature than this is not used as a prompt."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodingPolicy:
    """The decoding settings that all clips of a strategy share.

    ``multilingual``: each window has its own language; None: the strategy's default.
    ``word_timer``: None unless words are asked for; ``timer`` always is there.
    """

    tokens: Vocabulary
    decoding: DecodingOptions
    prompt_context: PromptContext
    fallback: Fallback
    hallucination: HallucinationFilter
    multilingual: bool | None
    word_timer: WordTimer | None
    timer: WordTimer

    @classmethod
    def of(
        cls,
        settings: DecodingSettings,
        hallucination: HallucinationSettings,
        tokens: Vocabulary,
        default_temperatures: tuple[float, ...],
    ) -> DecodingPolicy:
        """``default_temperatures`` apply if the user gives none."""
        temperatures = settings.temperature or default_temperatures
        decoding = DecodingOptions(
            language=settings.language,
            task=settings.task,
            timestamps=settings.timestamps,
            temperature=temperatures[0],
            max_new_tokens=settings.max_new_tokens,
            detection=settings.detection(),
            search=settings.search(),
            suppression=settings.suppression(),
            words=settings.word_timestamps,
            audio_context=settings.audio_context or "full",
        )
        fallback = Fallback(temperatures, hallucination)
        return cls(
            tokens=tokens,
            decoding=decoding,
            prompt_context=PromptContext.of(settings, tokens),
            fallback=fallback,
            hallucination=HallucinationFilter(fallback, hallucination),
            multilingual=settings.multilingual,
            word_timer=WordTimer.of(settings, tokens),
            timer=WordTimer(tokens, settings.prepend_punctuations, settings.append_punctuations),
        )

    def window_options(self, previous: tuple[int, ...], *, first: bool) -> DecodingOptions:
        """Options of a window; ``first``: its clip's first one, which alone has the prefix."""
        prefix = self.prompt_context.prefix if first else ()
        return replace(self.decoding, previous=previous, prefix=prefix)

    def next_temperature(self, hypothesis: Hypothesis) -> float | None:
        """The temperature to decode the window with again; None: the hypothesis is accepted."""
        return self.fallback.next_temperature(hypothesis, self.text(hypothesis.tokens))

    def as_segment(self, hypothesis: Hypothesis, window: Window) -> Segment:
        """All text of a window, as one segment."""
        start_s = window.start_s + window.skip_frames / FRAMES_PER_S
        end_s = window.start_s + window.duration_s
        text = tuple(token for token in hypothesis.tokens if token < self.tokens.eot)
        return Segment(start_s, end_s, self.text(text), text)

    def text(self, tokens: Iterable[int]) -> str:
        """The text of tokens, without timestamps."""
        return self.tokens.decode([token for token in tokens if token < self.tokens.eot])


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
            hotwords=encoded(settings.hotwords)[:MAX_PREVIOUS_TOKENS],
            prefix=encoded(settings.prefix)[-MAX_PREVIOUS_TOKENS:],
            carry_initial=settings.carry_initial_prompt,
            condition=settings.condition_on_previous_text,
        )

    def alone(self) -> tuple[int, ...]:
        """The prompt of a window without previous text."""
        return self.with_hotwords(self.initial)

    def with_hotwords(self, previous: tuple[int, ...]) -> tuple[int, ...]:
        """Hotwords, then as much of the end of ``previous`` as fits."""
        room = MAX_PREVIOUS_TOKENS - len(self.hotwords)
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
        room = MAX_PREVIOUS_TOKENS - len(initial)
        rest = self.tokens[max(len(initial), self.reset_at) :]
        # Like the slice in the reference: if the prompt fills all room, nothing is cut here, and
        # the decoder keeps the end of everything.
        return self.context.with_hotwords(initial + tuple(rest[-room:]))

    def add(self, tokens: Iterable[int], temperature: float) -> None:
        """Add the tokens of an accepted window."""
        self.tokens.extend(tokens)
        if not self.context.condition or temperature > RESET_ABOVE:
            self.reset_at = len(self.tokens)
