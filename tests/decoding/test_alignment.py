from __future__ import annotations

import numpy as np
import pytest

from quest22.checkpoint.load import load
from quest22.checkpoint.tokens import Tokens
from quest22.decoding.alignment import (
    ENCODER_FRAMES_PER_S,
    AlignmentInput,
    align,
    mel_frames,
    path_cost,
)
from quest22.records import Alignment, DecodingOptions, Hypothesis, Window


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return load("nano").tokens


def window(seconds: float = 1.0, **more) -> Window:
    samples = np.zeros(round(seconds * 16_000), np.float32)
    return Window(samples, 0.0, DecodingOptions(), **more)


@pytest.mark.parametrize(
    ("seconds", "frames"), [(0.0, 0), (0.0099, 0), (0.01, 1), (1.0, 100), (30.0, 3000)]
)
def test_whole_frames_of_audio_count(seconds: float, frames: int) -> None:
    assert mel_frames(window(seconds)) == frames


def test_text_without_timestamps_and_without_an_unfinished_segment(tokens: Tokens) -> None:
    begin = tokens.timestamp_begin
    said = (begin, 5, 6, begin + 20, begin + 20, 7)
    found = AlignmentInput.of(3, window(), Hypothesis(said, "en", 1.0, -0.1, 0.0), tokens)
    assert found.text == (5, 6)
    assert found.start == tokens.initial_tokens("en", "transcribe", timestamps=False)
    assert found.frames == 50


def test_frames_before_a_later_pass_do_not_count(tokens: Tokens) -> None:
    hypothesis = Hypothesis((5,), "en", 1.0, -0.1, 0.0)
    assert AlignmentInput.of(3, window(skip_frames=40), hypothesis, tokens).frames == 30
    assert AlignmentInput.of(3, window(skip_frames=200), hypothesis, tokens).frames == 0


def test_a_prefix_is_aligned_but_is_not_the_hypothesis(tokens: Tokens) -> None:
    given = Window(np.zeros(16_000, np.float32), 0.0, DecodingOptions(prefix=(3, 4)))
    found = AlignmentInput.of(0, given, Hypothesis((5,), "en", 1.0, -0.1, 0.0), tokens)
    assert found.text == (3, 4, 5)
    alignment = found.of_hypothesis(Alignment((0.0, 0.2, 0.4, 0.6), (0.7, 0.8, 0.9)))
    assert alignment == Alignment((0.4, 0.6), (0.9,))


def diagonal_scores(tokens: int, frames: int, heads: int = 2) -> np.ndarray:
    """Each token attends to its own share of the frames."""
    scores = np.zeros((heads, tokens, frames), np.float32)
    for token in range(tokens):
        scores[:, token, token * frames // tokens : (token + 1) * frames // tokens] = 8.0
    return scores


def test_cost_is_low_where_a_token_attends() -> None:
    cost = path_cost(diagonal_scores(4, 40), slice(1, 4))
    assert cost.shape == (3, 40)
    assert [int(row.argmin()) // 10 for row in cost] == [1, 2, 3]


def test_tokens_begin_where_their_attention_does() -> None:
    cost = path_cost(diagonal_scores(4, 40), slice(0, 4))
    (found,) = align([cost], [np.array([0.5, 0.25, 0.75], np.float32)])
    assert found.bounds_s == pytest.approx([at / ENCODER_FRAMES_PER_S for at in (0, 10, 20, 30)])
    assert found.probabilities == (0.5, 0.25, 0.75)


def test_texts_are_aligned_as_they_are_alone() -> None:
    costs = [path_cost(diagonal_scores(n, 12 * n), slice(0, n)) for n in (2, 3, 5)]
    sure = [np.full(len(cost) - 1, 0.5, np.float32) for cost in costs]
    assert align(costs, sure) == [
        align([cost], [each])[0] for cost, each in zip(costs, sure, strict=True)
    ]


def test_without_a_frame_all_is_at_the_beginning() -> None:
    (found,) = align([np.zeros((3, 0), np.float32)], [np.array([0.5, 0.5], np.float32)])
    assert found.bounds_s == (0.0, 0.0, 0.0)
