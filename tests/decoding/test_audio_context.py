from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.decoding.audio_context import (
    MARGIN_FRAMES,
    MULTIPLE,
    context_frames,
    is_doubtful,
)
from quest22.records import AudioContext, DecodingOptions, Window

ALL = 1500


def window(duration_s: float, context: AudioContext, skip_frames: int = 0) -> Window:
    samples = np.zeros(round(16_000 * duration_s), np.float32)
    return Window(samples, 0.0, DecodingOptions(audio_context=context), skip_frames=skip_frames)


@pytest.mark.parametrize(
    ("duration_s", "context", "skip_frames", "frames"),
    [
        (5.0, "full", 0, ALL),
        (5.0, "auto", 0, 576),  # 250 and 320, rounded up
        (5.0, "auto", 500, 320),
        (0.0, "auto", 0, 320),
        (0.0, 0.5, 0, 64),
        (5.0, 10.0, 0, 512),
        (12.0, 10.0, 0, 640),
        (12.0, 10.0, 400, 512),
        (23.0, "auto", 0, 1472),
        (23.1, "auto", 0, ALL),
        (30.0, "auto", 0, ALL),
        (30.0, 1.0, 0, ALL),
    ],
)
def test_frames(duration_s: float, context: AudioContext, skip_frames: int, frames: int) -> None:
    assert context_frames(window(duration_s, context, skip_frames), ALL) == frames


def test_features_count_as_their_frames() -> None:
    brought = Window(
        np.zeros(0, np.float32),
        0.0,
        DecodingOptions(audio_context="auto"),
        features=np.zeros((80, 3000), np.float32),
        frames=500,
    )
    assert context_frames(brought, ALL) == 576


@given(st.floats(0, 30), st.just("auto") | st.floats(0.01, 30), st.sampled_from([8, 100, ALL]))
def test_all_sound_is_heard(duration_s: float, context: AudioContext, most: int) -> None:
    frames = context_frames(window(duration_s, context), most)
    margin = MARGIN_FRAMES if context == "auto" else 0
    samples = round(16_000 * duration_s)
    assert frames == most or frames >= samples / 320 + margin
    assert frames == most or frames % MULTIPLE == 0
    assert 0 < frames <= most


@pytest.mark.parametrize(
    ("duration_s", "skip_frames", "text", "tokens", "doubtful"),
    [
        (2.0, 0, " He was not there.", 5, False),
        (2.0, 0, " He was not there.", 21, False),
        (2.0, 0, " He was not there.", 22, True),
        (2.0, 100, " He was not there.", 15, True),
        (30.0, 0, " He was not there." * 12, 60, True),
        (0.0, 0, "", 0, False),
    ],
)
def test_what_is_doubtful(
    duration_s: float, skip_frames: int, text: str, tokens: int, doubtful: bool
) -> None:
    asked = window(duration_s, "auto", skip_frames)
    assert is_doubtful(asked, text, tokens) is doubtful
    timed = replace(asked, decoding=replace(asked.decoding, timestamps=True))
    assert is_doubtful(timed, text, 2 * tokens - 1) is doubtful


@pytest.mark.parametrize(("prefix", "most"), [(0, 21), (10, 11), (20, 8), (100, 8)])
def test_a_prefix_is_part_of_what_was_said(prefix: int, most: int) -> None:
    asked = window(2.0, "auto")
    asked = replace(asked, decoding=replace(asked.decoding, prefix=(5,) * prefix))
    assert not is_doubtful(asked, "", most)
    assert is_doubtful(asked, "", most + 1)
