from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.audio.pieces import full_scale
from quest22.capture.raw_pcm import SAMPLE_FORMATS, RawFormat, raw_pieces
from quest22.errors import UsageError
from tests.capture.streams import Trickle


@pytest.mark.parametrize(
    ("name", "data", "values"),
    [
        ("u8", b"\x00\x80\xff", [-1, 0, 127 / 128]),
        ("s16le", b"\x00\x80\x00\x40", [-1, 0.5]),
        ("s16be", b"\x80\x00\x40\x00", [-1, 0.5]),
        ("s24le", b"\x00\x00\x80\x00\x00\x40", [-1, 0.5]),
        ("s24be", b"\x80\x00\x00\x40\x00\x00", [-1, 0.5]),
        ("s32le", b"\x00\x00\x00\x80\x00\x00\x00\x40", [-1, 0.5]),
        ("s32be", b"\x80\x00\x00\x00\x40\x00\x00\x00", [-1, 0.5]),
        ("f32le", np.array([-1, 0.5], "<f4").tobytes(), [-1, 0.5]),
        ("f32be", np.array([-1, 0.5], ">f4").tobytes(), [-1, 0.5]),
        ("f64le", np.array([-1, 0.5], "<f8").tobytes(), [-1, 0.5]),
        ("f64be", np.array([-1, 0.5], ">f8").tobytes(), [-1, 0.5]),
        # The ends and the middle of ITU-T G.711's tables, 13 and 14 bits wide.
        ("alaw", b"\xaa\x2a\xd5\x55", [32256 / 32768, -32256 / 32768, 8 / 32768, -8 / 32768]),
        ("mulaw", b"\x80\x00\xff\x7f", [32124 / 32768, -32124 / 32768, 0, 0]),
    ],
)
def test_every_format_has_full_scale_1(name: str, data: bytes, values: list[float]) -> None:
    found = RawFormat(name, 8000, 1).values(data)
    mono = full_scale(found[0].astype(np.float32), found.dtype)
    np.testing.assert_allclose(mono, values, atol=1e-7)


def test_every_format_is_tested() -> None:
    (mark,) = test_every_format_has_full_scale_1.pytestmark
    assert tuple(case[0] for case in mark.args[1]) == SAMPLE_FORMATS


@given(
    st.lists(st.integers(1, 40), max_size=40), st.sampled_from(SAMPLE_FORMATS), st.integers(1, 3)
)
def test_parts_of_samples_wait_for_the_rest(cuts: list[int], name: str, channels: int) -> None:
    raw = RawFormat(name, 16_000, channels)
    data = bytes(range(256)) * 8
    parts, at = [], 0
    for cut in cuts:
        parts.append(data[at : at + cut])
        at += cut
    parts.append(data[at:])
    pieces = [values for _, values in raw_pieces(Trickle(parts), raw)]
    whole = raw.values(data[: len(data) // raw.frame_bytes * raw.frame_bytes])
    joined = np.concatenate(pieces, axis=1)
    np.testing.assert_array_equal(joined, whole)
    assert joined.shape[0] == channels


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("jsonl", 16_000, 1), "format is 'jsonl': expected raw samples in one of u8, s16le"),
        (("s16le", 0, 1), "rate is 0: expected 1000 to 768000"),
        (("s16le", 16_000, 0), "channels is 0: expected 1 to 256"),
    ],
)
def test_what_cannot_be_is_refused(values: tuple[str, int, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        RawFormat(*values)
