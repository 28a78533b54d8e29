"""How the windows of a clip are decoded, and which hypotheses are accepted."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from quest22.decoding.fallback import Fallback
from quest22.decoding.words import WordTimer
from quest22.longform.hallucination import HallucinationFilter
from quest22.longform.prompt_context import PromptContext
from quest22.longform.window_passes import Vocabulary
from quest22.records import Clip, DecodingOptions, Hypothesis, Segment, Window
from quest22.settings import DecodingSettings, HallucinationSettings


@dataclass(frozen=True, slots=True, eq=False)
class DecodingPolicy:
    """The decoding settings that all clips of a strategy share.

    ``multilingual``: each window has its own language; None: the strategy's default.
    """

    tokens: Vocabulary
    decoding: DecodingOptions
    prompt_context: PromptContext
    fallback: Fallback
    hallucination: HallucinationFilter
    multilingual: bool | None
    word_timer: WordTimer | None

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
        )

    def window_options(
        self, clip: Clip, position: int, previous: tuple[int, ...], *, first: bool
    ) -> DecodingOptions:
        """Options of the window at a position of a clip; both determine the random samples.

        ``first``: it is the clip's first window, the only one with the prefix.
        """
        search = self.decoding.search
        if self.fallback.temperatures[-1] > 0:
            seed = (*search.seed, zlib.crc32(clip.key.encode()), position)
            search = replace(search, seed=seed)
        prefix = self.prompt_context.prefix if first else ()
        return replace(self.decoding, previous=previous, prefix=prefix, search=search)

    def next_temperature(self, hypothesis: Hypothesis) -> float | None:
        """The temperature to decode the window with again; None: the hypothesis is accepted."""
        return self.fallback.next_temperature(hypothesis, self.text(hypothesis.tokens))

    def as_segment(self, hypothesis: Hypothesis, window: Window) -> Segment:
        """All text of a window, as one segment."""
        start_s = window.start_s + window.skip_frames / 100
        end_s = window.start_s + window.duration_s
        text = tuple(token for token in hypothesis.tokens if token < self.tokens.eot)
        return Segment(start_s, end_s, self.text(text), text)

    def text(self, tokens: Iterable[int]) -> str:
        """The text of tokens, without timestamps."""
        return self.tokens.decode([token for token in tokens if token < self.tokens.eot])
