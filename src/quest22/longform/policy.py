"""What a strategy asks of every window of every clip, and how it judges what comes back."""

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
    """What the clips of a strategy share.

    ``multilingual``: each window has a language of its own; None: as the strategy likes.
    """

    tokens: Vocabulary
    decoding: DecodingOptions
    preamble: PromptContext
    guard: HallucinationFilter
    multilingual: bool | None
    words: WordTimer | None

    @classmethod
    def of(
        cls,
        asked: DecodingSettings,
        guards: HallucinationSettings,
        tokens: Vocabulary,
        temperatures: tuple[float, ...],
    ) -> DecodingPolicy:
        """``temperatures`` are those of a user who names none."""
        temperatures = asked.temperature or temperatures
        decoding = DecodingOptions(
            language=asked.language,
            task=asked.task,
            timestamps=asked.timestamps,
            temperature=temperatures[0],
            max_new_tokens=asked.max_new_tokens,
            detection=asked.detection(),
            search=asked.search(),
            suppression=asked.suppression(),
            words=asked.word_timestamps,
        )
        return cls(
            tokens=tokens,
            decoding=decoding,
            preamble=PromptContext.of(asked, tokens),
            guard=HallucinationFilter(Fallback(temperatures, guards)),
            multilingual=asked.multilingual,
            words=WordTimer.of(asked, tokens),
        )

    def asked(
        self, clip: Clip, place: int, previous: tuple[int, ...], *, first: bool
    ) -> DecodingOptions:
        """What is asked of the window at a place of a clip; samples are drawn by these two."""
        search = self.decoding.search
        if self.guard.fallback.temperatures[-1] > 0:
            seed = (*search.seed, zlib.crc32(clip.key.encode()), place)
            search = replace(search, seed=seed)
        prefix = self.preamble.prefix if first else ()
        return replace(self.decoding, previous=previous, prefix=prefix, search=search)

    def next_temperature(self, heard: Hypothesis) -> float | None:
        """What to hear a window with again; None: the hypothesis counts."""
        return self.guard.fallback.next_temperature(heard, self.text(heard.tokens))

    def whole(self, heard: Hypothesis, window: Window) -> Segment:
        """All that was heard in a window, as one segment."""
        start_s = window.start_s + window.skip_frames / 100
        end_s = window.start_s + window.duration_s
        text = tuple(token for token in heard.tokens if token < self.tokens.eot)
        return Segment(start_s, end_s, self.text(text), text)

    def text(self, tokens: Iterable[int]) -> str:
        """The text of tokens, timestamps left out."""
        return self.tokens.decode([token for token in tokens if token < self.tokens.eot])
