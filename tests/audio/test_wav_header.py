from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from quest22.audio.decode import MediaDecoder
from quest22.audio.wav_header import SoundBytes, read_wav_header
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Samples
from quest22.settings import AudioSettings
from tests.support.sounds import clip, tone

SOUND = tone(SAMPLE_RATE_HZ, 2.0)
PCM = (SOUND * 32767).astype("<i2").tobytes()
PCM_TAG, FLOAT_TAG, EXTENSIBLE = 1, 3, 0xFFFE


def chunk(name: bytes, data: bytes, size: int | None = None, order: str = "<") -> bytes:
    """A chunk that claims ``size``."""
    length = len(data) if size is None else size
    return name + struct.pack(f"{order}I", length) + data + b"\0" * (len(data) % 2)


def fmt(
    tag: int = PCM_TAG, bits: int = 16, channels: int = 1, more: bytes = b"", order: str = "<"
) -> bytes:
    block = channels * bits // 8
    second = SAMPLE_RATE_HZ * block
    numbers = struct.pack(f"{order}HHIIHH", tag, channels, SAMPLE_RATE_HZ, second, block, bits)
    return chunk(b"fmt ", numbers + more, order=order)


def wav(*chunks: bytes, family: bytes = b"RIFF") -> bytes:
    order = ">" if family == b"RIFX" else "<"
    return chunk(family, b"WAVE" + b"".join(chunks), order=order)


def extensible(tag: int, valid_bits: int, order: str = "<") -> bytes:
    guid = struct.pack(f"{order}IHH", tag, 0, 16) + bytes.fromhex("800000aa00389b71")
    return struct.pack(f"{order}HHI", 22, valid_bits, 4) + guid


def data64(size: int) -> bytes:
    return chunk(b"ds64", struct.pack("<QQQI", size + 72, size, size // 2, 0))


def decoded(media: bytes, metrics: Metrics | None = None) -> Samples:
    return np.concatenate(list(MediaDecoder(AudioSettings(), metrics).decode(clip(media)).blocks))


def rifx(samples: np.ndarray, tag: int, bits: int) -> bytes:
    sound = chunk(b"data", samples.tobytes(), order=">")
    return wav(fmt(tag, bits, order=">"), sound, family=b"RIFX")


RIFX = {
    "8 bits": rifx((SOUND * 127 + 128).astype("u1"), PCM_TAG, 8),
    "16 bits": rifx((SOUND * 32767).astype(">i2"), PCM_TAG, 16),
    "24 bits": rifx((SOUND * 8388607).astype(">i4").view("u1").reshape(-1, 4)[:, 1:], PCM_TAG, 24),
    "32 bits": rifx((SOUND.astype("f8") * 2**31).astype(">i4"), PCM_TAG, 32),
    "float": rifx(SOUND.astype(">f4"), FLOAT_TAG, 32),
    "double": rifx(SOUND.astype(">f8"), FLOAT_TAG, 64),
    "extensible": wav(
        fmt(EXTENSIBLE, more=extensible(PCM_TAG, 16, ">"), order=">"),
        chunk(b"data", (SOUND * 32767).astype(">i2").tobytes(), order=">"),
        family=b"RIFX",
    ),
    "stereo without a size, behind an odd chunk": wav(
        chunk(b"LIST", b"INFOabc", order=">"),
        fmt(channels=2, order=">"),
        chunk(b"data", np.repeat((SOUND * 32767).astype(">i2"), 2).tobytes(), 0, ">"),
        family=b"RIFX",
    ),
}


@pytest.mark.parametrize("name", RIFX)
def test_big_endian_samples_are_read_as_such(name: str) -> None:
    assert np.abs(decoded(RIFX[name]) - SOUND).max() < 0.02


def test_samples_wider_than_their_bits_are_read_in_full() -> None:
    wide = ((SOUND * 8388607).astype("<i4") * 256).tobytes()
    media = wav(fmt(EXTENSIBLE, 32, more=extensible(PCM_TAG, 24)), chunk(b"data", wide))
    assert np.abs(decoded(media) - SOUND).max() < 0.001


PLACEHOLDERS = [0, 2_000_000_000, 0x7FFFF000, 0x7FFFFFDB, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


@pytest.mark.parametrize("size", PLACEHOLDERS)
def test_a_sound_that_never_ended_is_not_truncated(size: int) -> None:
    media = wav(fmt(), chunk(b"data", PCM, size))
    metrics = Metrics()
    assert len(decoded(media, metrics)) == len(SOUND)
    assert "truncated" not in metrics.counts()
    header = read_wav_header(io.BytesIO(media))
    assert header is not None
    assert header.stated_duration_s is None


@pytest.mark.parametrize("size", [len(PCM) // 2 + 2, len(PCM), 1_900_000_000])
def test_a_truncated_sound_is_told_however_long_it_claims_to_be(size: int) -> None:
    metrics = Metrics()
    sound = decoded(wav(fmt(bits=8), chunk(b"data", PCM[::2], size)), metrics)
    assert len(sound) == len(SOUND)
    assert metrics.counts().get("truncated", 0) == (size >= len(PCM))


@pytest.mark.parametrize("family", [b"RF64", b"BW64"])
@pytest.mark.parametrize("size", [len(PCM), 0, 2**60, None])
def test_sizes_of_64_bits(family: bytes, size: int | None) -> None:
    sizes = b"" if size is None else data64(size)
    media = wav(sizes, fmt(), chunk(b"data", PCM, 0xFFFFFFFF), family=family)
    if size is None and family == b"RF64":
        assert len(decoded(media)) == len(SOUND)
    elif size is not None:
        assert len(decoded(media)) == len(SOUND)
        header = read_wav_header(io.BytesIO(media))
        assert header is not None
        assert header.size == (size if size == len(PCM) else None)


@pytest.mark.parametrize(
    "before",
    [
        b"",
        chunk(b"LIST", b"INFOabc"),
        chunk(b"JUNK", bytes(70_001)),
        chunk(b"bext", bytes(602)) + chunk(b"fact", bytes(4)) + chunk(b"cue ", bytes(28)),
    ],
)
def test_the_sound_is_found_behind_other_chunks(before: bytes) -> None:
    media = wav(before, fmt(), chunk(b"data", PCM), chunk(b"id3 ", b"ID3"))
    header = read_wav_header(io.BytesIO(media))
    assert header is not None
    assert header.stated_duration_s == 2.0
    assert media[header.offset :].startswith(PCM)
    assert np.abs(decoded(media) - SOUND).max() < 0.001


BEHIND = {
    "zeros": bytes(5000),
    "empty list": chunk(b"LIST", b""),
    "list beyond the end": chunk(b"LIST", b"INFO", 0xFFFFFFFF),
    "format": chunk(b"fmt ", bytes(4)),
}


@pytest.mark.parametrize("name", BEHIND)
def test_damage_behind_the_sound_costs_nothing(name: str) -> None:
    media = wav(fmt(), chunk(b"data", PCM)) + BEHIND[name]
    assert np.abs(decoded(media) - SOUND).max() < 0.001


def test_files_that_were_joined_are_read_one_after_the_other() -> None:
    odd = wav(fmt(bits=8), chunk(b"data", (SOUND * 127 + 128).astype("u1").tobytes()[:-1]))
    first, second = wav(fmt(), chunk(b"data", PCM)), wav(fmt(channels=2), chunk(b"data", PCM))
    for media in (first + second + odd, first + odd[:-1] + second, odd + first + second):
        assert len(decoded(media)) == pytest.approx(5.0 * SAMPLE_RATE_HZ, abs=1)
    assert len(decoded(first + second[:20])) == len(SOUND)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"RIFF",
        wav(),
        wav(fmt()),
        wav(chunk(b"data", PCM)),
        wav(fmt()[:20]),
        wav(chunk(b"junk", b"", 0x7FFFFFFF), fmt(), chunk(b"data", PCM)),
        wav(*[chunk(b"junk", b"")] * 100, fmt(), chunk(b"data", PCM)),
    ],
)
def test_a_damaged_header_says_nothing(damaged: bytes) -> None:
    assert read_wav_header(io.BytesIO(damaged)) is None


def test_the_sound_alone_is_a_file() -> None:
    media = wav(fmt(), chunk(b"data", PCM), chunk(b"LIST", b"abcd"))
    file = io.BytesIO(media)
    header = read_wav_header(file)
    assert header is not None
    sound = SoundBytes(file, header)
    assert (sound.read(), sound.read(), sound.tell()) == (PCM, b"", len(PCM))
    assert (sound.seek(-4, 2), sound.read(100)) == (len(PCM) - 4, PCM[-4:])
    assert (sound.seek(10), sound.seek(2, 1), sound.read(3)) == (10, 12, PCM[12:15])
