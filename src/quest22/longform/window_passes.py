"""The hypotheses of one window, from one decoding pass or several. Knows nothing of stitching.

If the last timestamps are a pair, the text after them is incomplete
(:mod:`quest22.decoding.timestamps`): the window is decoded again from that time, until the model
ends otherwise. Unlike in Transformers and openai/whisper, a window is not decoded again from a time
after its audio: that would transcribe padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from quest22.checkpoint.tokens import TIMESTAMP_STEP_S
from quest22.decoding.timestamps import drop_unfinished
from quest22.longform.windowing import Chunk
from quest22.records import FRAMES_PER_S, HOP_SAMPLES, SAMPLE_RATE_HZ, Hypothesis, Window

FRAMES_PER_TIMESTAMP = round(TIMESTAMP_STEP_S * FRAMES_PER_S)


class Vocabulary(Protocol):
    """The part of a checkpoint's tokens that a long form needs."""

    @property
    def eot(self) -> int:
        """End of text; text tokens are below it, control tokens and timestamps above."""
        ...

    @property
    def timestamp_begin(self) -> int:
        """The token of time 0; each further token adds 0.02 s."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of text tokens."""
        ...

    def encode(self, text: str) -> list[int]:
        """Text tokens of a text."""
        ...


@dataclass(frozen=True, slots=True)
class DecodingPass:
    """One hypothesis: its complete tokens, and the frame from which its timestamps count."""

    skip_frames: int
    hypothesis: Hypothesis
    tokens: tuple[int, ...]


@dataclass(slots=True, eq=False)
class WindowPasses:
    """A window's bounds in the clip, in samples, and its passes so far.

    ``complete``: no further pass is needed.
    """

    start: int
    length: int
    left: int
    right: int
    passes: list[DecodingPass] = field(default_factory=list)
    self_contained: bool = False
    complete: bool = False

    @classmethod
    def of(cls, chunk: Chunk) -> WindowPasses:
        """A window without any pass yet."""
        return cls(
            start=chunk.start,
            length=len(chunk.samples),
            left=chunk.left,
            right=chunk.right,
            self_contained=chunk.self_contained,
        )

    @property
    def language(self) -> tuple[str | None, float]:
        """The language of the window and its probability: those of the first pass."""
        first = self.passes[0].hypothesis
        return first.language, first.language_probability

    @property
    def end_s(self) -> float:
        """Where the window's audio ends in the clip, in seconds."""
        return (self.start + self.length) / SAMPLE_RATE_HZ

    def text_tokens(self, eot: int) -> list[int]:
        """The text tokens of all passes, one after the other."""
        return [token for each in self.passes for token in each.tokens if token < eot]

    def start_s(self, decoding_pass: DecodingPass) -> float:
        """Where a pass begins in the clip, in seconds, to the hundredth."""
        return round((self.start + decoding_pass.skip_frames * HOP_SAMPLES) / SAMPLE_RATE_HZ, 2)

    def time_s(self, decoding_pass: DecodingPass, token: int, timestamp_begin: int) -> float:
        """A timestamp token's time in the clip, in seconds, to the hundredth."""
        frames = decoding_pass.skip_frames + (token - timestamp_begin) * FRAMES_PER_TIMESTAMP
        return round((self.start + frames * HOP_SAMPLES) / SAMPLE_RATE_HZ, 2)

    def add_result(
        self, window: Window, hypothesis: Hypothesis, timestamp_begin: int
    ) -> Window | None:
        """Add the hypothesis of a pass; return the window of the next pass if one is needed."""
        tokens, resume = drop_unfinished(hypothesis.tokens, timestamp_begin)
        self.passes.append(DecodingPass(window.skip_frames, hypothesis, tokens))
        skip_frames = window.skip_frames + (resume or 0) * FRAMES_PER_TIMESTAMP
        if not resume or skip_frames * HOP_SAMPLES >= self.length:
            self.complete = True
            return None
        language = window.decoding.language or hypothesis.language
        decoding = replace(window.decoding, language=language)
        return replace(window, decoding=decoding, skip_frames=skip_frames)
