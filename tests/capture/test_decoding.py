"""Streams of every kind, as live encoders write them, and what comes in between."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from quest22.audio.live_samples import LiveSamples
from quest22.capture.blocks import live_blocks
from quest22.capture.decoding import decoded
from quest22.capture.raw_pcm import SAMPLE_FORMATS, RawFormat
from quest22.errors import ClipError
from quest22.records import SAMPLE_RATE_HZ, Samples
from tests.capture.streams import Encoding, Told, Trickle, nobody, tone

SECONDS = 6.0
AT_ONCE_S = 0.02
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "200000"}

ENCODINGS = {
    # how far the sound may lag behind its bytes, in seconds: once it runs, and at its start
    "wav": (Encoding("wav", "pcm_s16le", 16_000, 1), 0.0, 0.1),
    "wav-float": (Encoding("wav", "pcm_f32le", 44_100), 0.0, 0.1),
    "wav-adpcm": (Encoding("wav", "adpcm_ima_wav", 22_050, 1), 0.3, 3.0),
    "ogg-opus": (Encoding("ogg", "libopus", options={"page_duration": "20000"}), 0.05, 0.2),
    "ogg-opus-pages-of-1-s": (Encoding("ogg", "libopus"), 1.1, 1.3),
    "webm": (Encoding("webm", "libopus", options={"live": "1"}), 0.1, 0.2),
    "matroska": (Encoding("matroska", "aac", options={"live": "1"}), 0.1, 0.3),
    "mpegts": (Encoding("mpegts", "aac"), 0.1, 0.4),
    "adts": (Encoding("adts", "aac", 44_100), 0.1, 0.4),
    "mp3": (Encoding("mp3", "libmp3lame", 44_100), 0.15, 0.5),
    "flac": (Encoding("flac", "flac", 16_000, 1), 1.2, 1.6),
    "mp4-in-fragments": (Encoding("mp4", "aac", 44_100, options=FRAGMENTS), 0.3, 0.6),
    "au": (Encoding("au", "pcm_s16be", 16_000, 1), 0.1, 0.6),
}


def sound_of(stream: Trickle, raw: RawFormat | None = None) -> Samples:
    return np.concatenate(list(live_blocks(decoded(stream, raw, "pipe", nobody()))))


@pytest.mark.parametrize("name", ENCODINGS)
def test_sound_comes_with_its_bytes(name: str) -> None:
    encoding, lag_s, start_s = ENCODINGS[name]
    sound = tone(SECONDS, encoding.rate_hz)
    data = encoding.encode(sound)
    bytes_a_second = len(data) / SECONDS
    stream = Trickle(data, int(bytes_a_second * AT_ONCE_S))
    heard_s, lags = 0.0, []
    for rate_hz, values in decoded(stream, None, "pipe", nobody()):
        assert rate_hz == encoding.rate_hz
        lags.append(stream.taken / bytes_a_second - heard_s)
        heard_s += values.shape[1] / rate_hz
    assert heard_s == pytest.approx(SECONDS, abs=0.1)
    later = lags[len(lags) // 2 :]
    assert np.median(later) <= lag_s + 2 * AT_ONCE_S
    assert lags[0] <= start_s + 2 * AT_ONCE_S


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_sound_is_that_of_the_file(name: str) -> None:
    encoding, *_ = ENCODINGS[name]
    data = encoding.encode(tone(SECONDS, encoding.rate_hz))
    whole, trickled = sound_of(Trickle(data)), sound_of(Trickle(data, 777))
    np.testing.assert_allclose(trickled, whole, atol=1e-3)
    middle = whole[SAMPLE_RATE_HZ:-SAMPLE_RATE_HZ]
    swells = [np.abs(middle[: SAMPLE_RATE_HZ // 2]).max(), np.abs(middle[-8000:]).max()]
    assert swells == pytest.approx([0.2, 0.43], abs=0.06)


def test_blocks_are_short_and_nothing_is_lost_between_rates_and_channels() -> None:
    parts = [
        Encoding("wav", "pcm_s16le", rate, channels).encode(tone(0.5, rate))
        for rate, channels in [(48_000, 2), (8_000, 1), (44_100, 2)]
    ]
    parts = [with_sizes(part) for part in parts]
    blocks = list(live_blocks(decoded(Trickle(parts, 500), None, "pipe", nobody())))
    assert max(map(len, blocks)) <= SAMPLE_RATE_HZ // 10
    assert all(block.dtype == np.float32 and len(block) for block in blocks)
    assert sum(map(len, blocks)) == pytest.approx(1.5 * SAMPLE_RATE_HZ, abs=20)


def test_chained_ogg_of_several_rates() -> None:
    first = Encoding("ogg", "libopus", 48_000, 2).encode(tone(1.0, 48_000))
    second = Encoding("ogg", "flac", 16_000, 1).encode(tone(1.0, 16_000))
    for at_once in (1, 26, 100, 4096):
        heard = sound_of(Trickle(first + second + first, at_once))
        assert len(heard) == pytest.approx(3 * SAMPLE_RATE_HZ, abs=1500)


def with_sizes(wav: bytes) -> bytes:
    """A WAV file with the sizes that a pipe's lacks, and something behind the sound."""
    values, rate = soundfile.read(io.BytesIO(wav), dtype="int16")
    written = io.BytesIO()
    soundfile.write(written, values, rate, format="WAV")
    return written.getvalue() + b"LIST" + struct.pack("<I", 5) + b"abcde\0"


def test_a_file_that_another_follows_ends_where_its_header_says() -> None:
    wav = with_sizes(Encoding("wav", "pcm_s16le", 16_000, 1).encode(tone(0.25, 16_000)))
    assert len(sound_of(Trickle(wav + wav))) == 2 * 4000


@pytest.mark.parametrize("size", [0, 2_000_000_000, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF])
def test_recorders_do_not_know_how_long_they_will_run(size: int) -> None:
    wav = bytearray(with_sizes(Encoding("wav", "pcm_s16le", 16_000, 1).encode(tone(1, 16_000))))
    at = wav.index(b"data") + 4
    wav[at : at + 4] = struct.pack("<I", size)
    assert len(sound_of(Trickle(bytes(wav[: at + 4 + 2000])))) == 1000


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "nothing came"),
        (b"<!DOCTYPE html><html>" + b" " * 5000, "an HTML page"),
        (b"#EXTM3U\n" * 50, "a playlist"),
        (np.random.default_rng(0).bytes(100_000), "raw samples have no header: name them with"),
        (bytes(20_000), "it begins with zeros only; raw samples have no header"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a RIFF \\(WAV\\) file whose header cannot be understood"),
        (b"OggS" + bytes(3000), "an Ogg file whose header cannot be understood"),
    ],
)
def test_what_is_no_sound_is_told_in_one_line(data: bytes, said: str) -> None:
    with pytest.raises(ClipError, match=said) as caught:
        list(decoded(Trickle(data), None, "pipe", nobody()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mpegts", "mp3", "ogg-opus", "webm"])
def test_garbage_in_the_middle_costs_what_it_covers(name: str) -> None:
    encoding, *_ = ENCODINGS[name]
    data = bytearray(encoding.encode(tone(SECONDS, encoding.rate_hz)))
    third = len(data) // 3
    data[third : third + len(data) // 12] = np.random.default_rng(1).bytes(len(data) // 12)
    told = Told()
    blocks = list(live_blocks(decoded(Trickle(bytes(data), 300), None, "pipe", told)))
    heard_s = sum(map(len, blocks)) / SAMPLE_RATE_HZ
    assert 0.6 * SECONDS < heard_s < 1.02 * SECONDS
    assert all("pipe: part of the sound is lost" in line for line in told)


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_stream_that_is_cut_gives_what_came(name: str) -> None:
    encoding, *_ = ENCODINGS[name]
    data = encoding.encode(tone(SECONDS, encoding.rate_hz))
    told = Told()
    blocks = list(live_blocks(decoded(Trickle(data[: len(data) // 2], 999), None, "pipe", told)))
    assert sum(map(len, blocks)) / SAMPLE_RATE_HZ == pytest.approx(SECONDS / 2, abs=1.1)


def test_raw_samples_of_a_format_that_is_named() -> None:
    values = (tone(1.0, 8000) * 32767).astype("<i2")
    stereo = np.stack([values, values], axis=1)
    heard = sound_of(Trickle(stereo.tobytes(), 333), RawFormat("s16le", 8000, 2))
    assert len(heard) == SAMPLE_RATE_HZ
    assert np.abs(heard[-4000:-1000]).max() == pytest.approx(0.48, abs=0.05)


@pytest.mark.parametrize("name", SAMPLE_FORMATS)
def test_garbage_in_raw_samples_is_sound_that_a_session_takes(name: str) -> None:
    data = np.random.default_rng(0).bytes(200_000)
    fed = LiveSamples()
    with np.errstate(all="ignore"):
        for block in live_blocks(
            decoded(Trickle(data, 5000), RawFormat(name, 16_000, 2), "", nobody())
        ):
            fed.feed(block)
    assert fed.fed_s > 0.5
