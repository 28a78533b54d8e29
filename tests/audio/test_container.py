import struct
from types import SimpleNamespace
from typing import Any

import pytest

from quest22.audio.container import header_duration_s


def wav_head(data_size: int, before: bytes = b"") -> bytes:
    """The head of a 16-bit mono WAV at 8 kHz: 16,000 bytes a second."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8_000, 16_000, 2, 16)
    return b"RIFF\0\0\0\0WAVE" + form + before + struct.pack("<4sI", b"data", data_size)


LIST_CHUNK = b"LIST" + struct.pack("<I", 5) + b"abcde\0"


@pytest.mark.parametrize(
    ("head", "seconds"),
    [
        (wav_head(32_000), 2.0),
        (wav_head(32_000, LIST_CHUNK), 2.0),
        (wav_head(0), None),
        (wav_head(0xFFFFFFFF), None),
        (wav_head(0x7FFFFFFF), None),
        (b"RIFF", None),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"RF64" + wav_head(32_000)[4:], None),
    ],
)
def test_a_wav_promises_what_its_data_chunk_says(head: bytes, seconds: float | None) -> None:
    assert header_duration_s("wav", stream(None), head) == seconds


@pytest.mark.parametrize(
    ("form", "seconds"),
    [("flac", 100.0), ("aiff", 100.0), ("mov,mp4,m4a,3gp,3g2,mj2", 97.0), ("mp3", None)],
)
def test_other_formats_promise_as_exactly_as_they_know(form: str, seconds: float | None) -> None:
    assert header_duration_s(form, stream(800_000), b"") == seconds


def test_an_unknown_length_promises_nothing() -> None:
    assert header_duration_s("flac", stream(None), b"") is None


def stream(duration: int | None) -> Any:
    return SimpleNamespace(duration=duration, time_base=1 / 8_000)
