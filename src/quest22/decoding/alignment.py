"""Finds when each text token was spoken, from the decoder's attention to the audio.

The method is openai/whisper's (``find_alignment`` in ``timing.py``): the attention weights of the
alignment heads are normalised, smoothed and averaged, and dynamic time warping finds the path
through them. A backend computes the attention; everything else is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.checkpoint.tokens import Tokens
from quest22.decoding.dtw import Grid, first_frames
from quest22.decoding.logprobs import softmax
from quest22.decoding.median_filter import median_filter
from quest22.decoding.timestamps import drop_unfinished
from quest22.records import FRAMES_PER_S, SAMPLE_RATE_HZ, Alignment, Hypothesis, Window

ENCODER_FRAMES_PER_S = 50
"""The encoder's frames last 20 ms: two log-mel frames."""

MEL_FRAMES_A_FRAME = FRAMES_PER_S // ENCODER_FRAMES_PER_S

Scores: TypeAlias = NDArray[np.float32]
Heads: TypeAlias = "tuple[tuple[int, int], ...]"
"""(decoder layer, head) pairs."""


@dataclass(frozen=True, slots=True)
class AlignmentInput:
    """The text to align in window ``window`` of a batch.

    ``start`` is ``<|startoftranscript|>`` up to ``<|notimestamps|>``, with language and task if the
    checkpoint has them. ``text`` holds text tokens only; the first ``given`` of them are the
    window's prefix, which is spoken in it too. The first ``frames`` of the encoder's output hold
    audio, the rest is padding.
    """

    window: int
    start: tuple[int, ...]
    text: tuple[int, ...]
    frames: int
    given: int = 0

    @classmethod
    def of(
        cls, index: int, window: Window, hypothesis: Hypothesis, tokens: Tokens
    ) -> AlignmentInput:
        """The text of a hypothesis without its timestamps and without an unfinished segment.

        ``index`` is the window's in its batch.
        """
        language = hypothesis.language if tokens.is_multilingual else None
        complete = hypothesis.tokens
        if not window.decoding.ends_complete:
            complete, _ = drop_unfinished(complete, tokens.timestamp_begin)
        prefix = tuple(token for token in window.decoding.prefix if token < tokens.eot)
        return cls(
            window=index,
            start=tokens.initial_tokens(language, window.decoding.task, timestamps=False),
            text=(*prefix, *(token for token in complete if token < tokens.eot)),
            frames=max(mel_frames(window) - window.skip_frames, 0) // MEL_FRAMES_A_FRAME,
            given=len(prefix),
        )

    def of_hypothesis(self, alignment: Alignment) -> Alignment:
        """The part of the text's alignment that is the hypothesis's, without the prefix."""
        return Alignment(alignment.bounds_s[self.given :], alignment.probabilities[self.given :])


@dataclass(frozen=True, slots=True)
class KeptAttention:
    """What a window's decoder attended to while it chose its tokens, one after the other.

    ``tokens`` begin with ``<|startoftranscript|>``; ``scores`` are as for :func:`path_cost`, one
    row for each token that was fed: the last may be missing. ``logprobs`` are those of the tokens
    chosen, the last ones.
    """

    tokens: tuple[int, ...]
    scores: Scores
    logprobs: tuple[float, ...]

    def aligns(self, asked: AlignmentInput) -> bool:
        """Whether just this text was fed and chosen."""
        return self.tokens == asked.start + asked.text

    def align(self, asked: AlignmentInput) -> Alignment:
        """The times of the text's tokens.

        As :func:`path_cost` has it, but for the end of text, which is not among the tokens fed.
        Probabilities are by the filtered logits, and 1 for tokens that were given.
        """
        before, after = len(asked.start), len(self.tokens)
        cost = path_cost(self.scores[:, :, : asked.frames], slice(before - 1, after))
        if len(cost) == len(asked.text):  # the last token was not fed
            cost = np.concatenate([cost, cost[-1:]])
        shares = np.ones(len(asked.text), np.float32)
        shares[len(shares) - len(self.logprobs) :] = np.exp(self.logprobs)
        (alignment,) = align([cost], [shares])
        return alignment


def mel_frames(window: Window) -> int:
    """Log-mel frames of a window that hold audio: whole ones of 10 ms, without the padding."""
    if window.features is not None:
        return window.frames
    return len(window.samples) * FRAMES_PER_S // SAMPLE_RATE_HZ


def alignment_heads(dims: Dimensions, generation: GenerationConfig) -> Heads:
    """The (layer, head) pairs whose attention follows the speech.

    If the checkpoint names none, all heads of the second half of the layers, as in openai/whisper.
    """
    return generation.alignment_heads or tuple(
        (layer, head)
        for layer in range(dims.decoder_layers // 2, dims.decoder_layers)
        for head in range(dims.decoder_heads)
    )


def path_cost(scores: Scores, text: slice) -> Grid:
    """The cost of each token at each frame: ``[tokens of text, frames]``.

    ``scores`` are products of queries and keys before the softmax, ``[heads, tokens, frames]``,
    of a decoder that was fed all tokens up to the end of text, over the frames that hold audio.
    ``text`` picks the tokens fed right before each token of the text and before its end.
    """
    total = np.zeros(scores[0, text].shape, np.float32)
    for head in scores:
        total -= median_filter(_normalised(softmax(head))[text])
    return total / np.float32(len(scores))


def align(costs: Sequence[Grid], probabilities: Sequence[NDArray[np.float32]]) -> list[Alignment]:
    """The times of the tokens of some texts, all texts at once.

    ``costs`` are ``[tokens + 1, frames]`` by :func:`path_cost`, ``probabilities`` are ``[tokens]``.
    In a window without a single frame all tokens are at time 0.
    """
    paths = iter(first_frames([cost for cost in costs if cost.shape[1]]))
    frames = [next(paths) if cost.shape[1] else np.zeros(len(cost), np.int64) for cost in costs]
    return [
        Alignment(tuple((bounds / ENCODER_FRAMES_PER_S).tolist()), tuple(shares.tolist()))
        for bounds, shares in zip(frames, probabilities, strict=True)
    ]


def _normalised(weights: Scores) -> Scores:
    """Weights ``[tokens, frames]`` with mean 0 and deviation 1 over the tokens of each frame."""
    centred: Scores = weights - weights.mean(axis=0)
    deviation = np.sqrt(np.square(centred).mean(axis=0))
    # Skip frames that no token attends to.
    np.divide(centred, deviation, out=centred, where=deviation > 0)
    return centred
