"""What was heard in one window, in one pass of the engine or several. Knows nothing of joining.

Whisper marks the end of each utterance with a timestamp, and the start of the next with another.
Where its last mark is such a pair, it means: what follows was not finished, listen again from
here. So, as in Transformers' ``generate`` (``_retrieve_segment``) and in openai/whisper, tokens
after the last pair are dropped and the window is run again from that time, until the model ends
otherwise. Unlike there, a window is not run again from a time that lies behind its sound: that
would be listening to padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from quest22.decoding.timestamps import drop_unfinished
from quest22.longform.windowing import Chunk
from quest22.records import SAMPLE_RATE_HZ, Hypothesis, Window

TIMESTAMP_S = 0.02
FRAME_SAMPLES = 160
FRAMES_PER_TIMESTAMP = 2


class Vocabulary(Protocol):
    """What joining needs to know of a checkpoint's tokens."""

    @property
    def eot(self) -> int:
        """End of text: text tokens lie below, control tokens and timestamps above."""
        ...

    @property
    def timestamp_begin(self) -> int:
        """The token of time 0; each later one is 0.02 s more."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of text tokens."""
        ...

    def encode(self, text: str) -> list[int]:
        """Text tokens of a text."""
        ...


@dataclass(frozen=True, slots=True)
class DecodingPass:
    """One hypothesis of a window: the tokens of it that count, and the time they count from."""

    skip_frames: int
    hypothesis: Hypothesis
    tokens: tuple[int, ...]


@dataclass(slots=True, eq=False)
class WindowPasses:
    """A window's place in the clip, in samples, and the passes over it so far."""

    start: int
    length: int
    left: int
    right: int
    passes: list[DecodingPass] = field(default_factory=list)
    apart: bool = False

    @classmethod
    def nothing_yet(cls, cut: Chunk) -> WindowPasses:
        return cls(cut.start, len(cut.samples), cut.left, cut.right, apart=cut.apart)

    @property
    def language(self) -> tuple[str | None, float]:
        """The language of the window and its probability: what the first pass found."""
        first = self.passes[0].hypothesis
        return first.language, first.language_probability

    def start_s(self, passed: DecodingPass) -> float:
        """Where a pass begins in the clip, in seconds, to the hundredth."""
        return round((self.start + passed.skip_frames * FRAME_SAMPLES) / SAMPLE_RATE_HZ, 2)

    def time_s(self, passed: DecodingPass, token: int, timestamp_begin: int) -> float:
        """A timestamp token's time in the clip, in seconds, to the hundredth."""
        frames = passed.skip_frames + (token - timestamp_begin) * FRAMES_PER_TIMESTAMP
        return round((self.start + frames * FRAME_SAMPLES) / SAMPLE_RATE_HZ, 2)

    def add_result(
        self, window: Window, hypothesis: Hypothesis, timestamp_begin: int
    ) -> Window | None:
        """Take the hypothesis of a pass; give the window of the next one, if one is needed."""
        kept, resume = drop_unfinished(hypothesis.tokens, timestamp_begin)
        self.passes.append(DecodingPass(window.skip_frames, hypothesis, kept))
        skip_frames = window.skip_frames + (resume or 0) * FRAMES_PER_TIMESTAMP
        if not resume or skip_frames * FRAME_SAMPLES >= self.length:
            return None
        language = window.decoding.language or hypothesis.language
        decoding = replace(window.decoding, language=language)
        return replace(window, decoding=decoding, skip_frames=skip_frames)
