from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from quest22.audio.live_samples import LiveSamples
from quest22.errors import UsageError
from quest22.records import Samples

TONE = np.sin(np.arange(48_000) * (2 * np.pi * 440 / 48_000)).astype(np.float32) * 0.5


def fed(blocks: list[object], rate_hz: float = 16_000) -> Samples:
    stream = LiveSamples()
    return np.concatenate([*(stream.feed(each, rate_hz) for each in blocks), stream.flush()])


FORMS = [
    pytest.param(TONE, id="float32"),
    pytest.param(TONE.astype(np.float64), id="float64"),
    pytest.param((TONE * 32_768).astype(np.int16), id="int16"),
    pytest.param((TONE * 2.0**31).astype(np.int32), id="int32"),
    pytest.param(np.stack([TONE, TONE], axis=1), id="stereo"),
    pytest.param((np.stack([TONE, TONE], axis=1) * 32_768).astype(np.int16), id="stereo int16"),
    pytest.param(TONE.tolist(), id="a list"),
]


@pytest.mark.parametrize("samples", FORMS)
def test_all_forms_are_the_same_sound(samples: object) -> None:
    heard = fed([samples])
    assert heard.dtype == np.float32
    np.testing.assert_allclose(heard, TONE, rtol=0, atol=1e-4)


@given(cuts=st.lists(st.integers(0, 48_000), max_size=6))
def test_blocks_of_any_length_make_the_sound_of_the_whole(cuts: list[int]) -> None:
    blocks: list[object] = list(np.split(TONE, sorted(cuts)))
    whole = soxr.resample(TONE, 48_000, 16_000)
    np.testing.assert_allclose(fed(blocks, 48_000), whole, rtol=0, atol=1e-6)


def test_the_rate_may_change() -> None:
    stream = LiveSamples()
    heard = [stream.feed(TONE, 48_000), stream.feed(TONE[:8_000], 8_000), stream.feed(TONE, 48_000)]
    heard.append(stream.flush())
    assert len(np.concatenate(heard)) == pytest.approx(3 * 16_000, abs=2)
    assert stream.fed_s == pytest.approx(3.0)


def test_after_a_flush_another_stream_begins() -> None:
    stream = LiveSamples()
    first = np.concatenate([stream.feed(TONE, 48_000), stream.flush()])
    second = np.concatenate([stream.feed(TONE, 48_000), stream.flush()])
    assert first.tolist() == second.tolist()


def test_the_callers_buffer_may_be_used_again() -> None:
    buffer = TONE.copy()
    heard = LiveSamples().feed(buffer)
    buffer[:] = 0
    assert heard.tolist() == TONE.tolist()


WRONG = [
    pytest.param(b"\0\0", 16_000, "samples are bytes: expected floats", id="bytes"),
    pytest.param("sound", 16_000, "samples are str", id="text"),
    pytest.param(None, 16_000, "samples are NoneType", id="nothing"),
    pytest.param(np.zeros(4, np.uint8), 16_000, "samples are uint8", id="uint8"),
    pytest.param(np.zeros((2, 960), np.int16), 16_000, r"shape \[2, 960\]", id="channels first"),
    pytest.param(np.zeros((1, 1, 1), np.int16), 16_000, r"shape \[1, 1, 1\]", id="three axes"),
    pytest.param(np.float32(0.5), 16_000, r"shape \[\]", id="one number"),
    pytest.param(np.array([0.1, np.nan]), 16_000, "samples are not finite", id="NaN"),
    pytest.param(np.array([0.1, -np.inf]), 16_000, "samples are not finite", id="infinite"),
    pytest.param(np.array([12_345.0]), 16_000, "samples reach 12345: expected floats", id="scale"),
    pytest.param(TONE, 0, "rate_hz is 0: expected a whole number of Hz", id="no rate"),
    pytest.param(TONE, 44_100.5, "rate_hz is 44100.5", id="half a rate"),
    pytest.param(TONE, "48000", "rate_hz is '48000'", id="rate as text"),
    pytest.param(TONE, float("nan"), "rate_hz is nan", id="rate that is none"),
]


@pytest.mark.parametrize(("samples", "rate_hz", "message"), WRONG)
def test_what_is_no_sound_is_refused_in_one_line(
    samples: object, rate_hz: float, message: str
) -> None:
    stream = LiveSamples()
    with pytest.raises(UsageError, match=message) as caught:
        stream.feed(samples, rate_hz)
    assert "\n" not in str(caught.value)
    assert stream.fed_s == 0.0
    assert stream.feed(TONE).tolist() == TONE.tolist()


def test_no_samples_are_no_error() -> None:
    assert len(fed([np.zeros(0, np.float32)])) == 0
