from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.decoding.timestamps import drop_unfinished
from quest22.longform.window_passes import WindowPasses
from quest22.longform.windowing import Chunk
from quest22.records import DecodingOptions, Window
from tests.support.fake_whisper import NUMBERS, make_hypothesis, sound, timestamp_token

BEGIN = NUMBERS.timestamp_begin
TOKENS = st.lists(st.one_of(st.integers(0, 9), st.integers(BEGIN, BEGIN + 5)), max_size=12)


def again(duration_s: float, *tokens: int, skip_frames: int = 0) -> Window | None:
    samples = sound(duration_s)
    heard = WindowPasses.of(Chunk(samples, 0, 0, 0))
    window = Window(samples, 0.0, DecodingOptions(timestamps=True), 3, skip_frames)
    return heard.add_result(window, make_hypothesis(*tokens, language="ru"), BEGIN)


def test_the_window_comes_again_from_that_time_in_its_own_language() -> None:
    window = again(30, timestamp_token(0), 1, timestamp_token(12), timestamp_token(12))
    assert window is not None
    assert (window.skip_frames, window.index, len(window.samples)) == (1200, 3, 480_000)
    assert window.decoding == DecodingOptions(language="ru", timestamps=True)


def test_times_of_later_passes_add_up() -> None:
    window = again(
        30, timestamp_token(0), 1, timestamp_token(5), timestamp_token(5), skip_frames=1200
    )
    assert window is not None
    assert window.skip_frames == 1700


@pytest.mark.parametrize("end_s", [10.0, 12.5, 29.9])
def test_padding_is_not_heard(end_s: float) -> None:
    assert again(10, timestamp_token(0), 1, timestamp_token(end_s), timestamp_token(end_s)) is None


def test_a_pass_that_gains_nothing_is_the_last() -> None:
    assert again(30, timestamp_token(0), timestamp_token(0), 1, 2) is None


@pytest.mark.reference
@given(tokens=TOKENS)
def test_as_transformers_takes_a_hypothesis_apart(generation: Any, tokens: list[int]) -> None:
    torch = pytest.importorskip("torch")
    segments, offset = generation._retrieve_segment(
        seek_sequence=torch.tensor(tokens, dtype=torch.long),
        seek_outputs=[None],
        time_offset=torch.zeros(1),
        timestamp_begin=BEGIN,
        seek_num_frames=torch.tensor([3000]),
        time_precision=0.02,
        time_precision_features=0.01,
        input_stride=2,
        prev_idx=0,
        idx=0,
        return_token_timestamps=False,
        decoder_input_ids=torch.zeros(1, 4),
    )
    kept, resume = drop_unfinished(tuple(tokens), BEGIN)
    theirs = [token for segment in segments for token in segment["tokens"].tolist()]
    assert list(kept) == theirs
    assert (3000 if resume is None else 2 * resume) == int(offset)


def test_times_count_from_the_clip() -> None:
    heard = WindowPasses.of(Chunk(np.zeros(480_000, np.float32), 320_000, 0, 0))
    window = Window(sound(30), 20.0, DecodingOptions(timestamps=True))
    following = heard.add_result(
        window,
        make_hypothesis(timestamp_token(0), 1, timestamp_token(4), timestamp_token(4)),
        BEGIN,
    )
    assert following is not None
    heard.add_result(following, make_hypothesis(timestamp_token(0), 2, timestamp_token(1.5)), BEGIN)
    first, second = heard.passes
    assert heard.time_s(first, timestamp_token(4), BEGIN) == 24.0
    assert heard.start_s(second) == 24.0
    assert heard.time_s(second, timestamp_token(1.5), BEGIN) == 25.5
