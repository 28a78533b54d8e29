from __future__ import annotations

import io
import logging
import os
import re
import tempfile
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from quest22.audio.decode import BLOCK_S, MediaDecoder
from quest22.errors import ClipError, TooLongError
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Media, Samples
from quest22.settings import AudioSettings
from tests.support.sounds import Format, clip, encode, loudest_hz, tone

FORMATS = [
    Format("wav-8", "wav", "pcm_u8"),
    Format("wav-16", "wav", "pcm_s16le", 44_100, 2),
    Format("wav-24", "wav", "pcm_s24le", 48_000, 2),
    Format("wav-32", "wav", "pcm_s32le", 22_050),
    Format("wav-float", "wav", "pcm_f32le", 16_000),
    Format("wav-double", "wav", "pcm_f64le", 96_000, 2),
    Format("wav-alaw", "wav", "pcm_alaw", 8_000),
    Format("wav-mulaw", "wav", "pcm_mulaw", 8_000, 2),
    Format("wav-adpcm", "wav", "adpcm_ms", 16_000),
    Format("wav-g722", "wav", "g722", 16_000),
    Format("w64", "w64", "pcm_s16le"),
    Format("caf", "caf", "pcm_s16le"),
    Format("au", "au", "pcm_mulaw", 8_000),
    Format("aiff", "aiff", "pcm_s16be", 44_100, 2),
    Format("flac", "flac", "flac", 44_100, 2),
    Format("flac-5.1", "flac", "flac", 96_000, 6),
    Format("ogg-vorbis", "ogg", "vorbis", 44_100, 2),
    Format("ogg-opus", "ogg", "libopus", 48_000),
    Format("mp3", "mp3", "libmp3lame", 44_100, 2),
    Format("m4a-aac", "ipod", "aac", 44_100, 2),
    Format("m4a-alac", "ipod", "alac", 44_100),
    Format("aac", "adts", "aac", 48_000),
    Format("wma", "asf", "wmav2", 44_100, 2),
    Format("amr", "amr", "libopencore_amrnb", 8_000),
    Format("3gp", "3gp", "libopencore_amrnb", 8_000),
    Format("ac3", "ac3", "ac3", 48_000, 6),
    Format("webm", "webm", "libopus", 48_000, 2),
    Format("webm-video", "webm", "libopus", 48_000, 2, video="libvpx"),
    Format("mp4-video", "mp4", "aac", 44_100, 2, video="mpeg4"),
    Format("mkv-video", "matroska", "flac", 44_100, 2, video="mpeg4"),
    Format("mov-video", "mov", "pcm_s16be", 48_000, 2, video="mpeg4"),
    Format("avi-video", "avi", "libmp3lame", 44_100, 2, video="mpeg4"),
    Format("ts-video", "mpegts", "aac", 48_000, 2, video="mpeg2video"),
]


def decoded(media: Media, name: str = "clip", channel: int | None = None) -> Samples:
    decoder = MediaDecoder(AudioSettings(channel=channel))
    return np.concatenate(list(decoder.decode(clip(media, name)).blocks))


def wav(sound: np.ndarray, rate: int, subtype: str = "PCM_16", form: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=form, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_every_format_keeps_pitch_level_and_length(form: Format) -> None:
    media = encode(form, [tone(form.rate, 2.0)] * form.channels)
    sound = decoded(media)
    assert sound.dtype == np.float32
    assert len(sound) / SAMPLE_RATE_HZ == pytest.approx(2.0, abs=0.05)
    assert loudest_hz(sound) == pytest.approx(440.0, abs=1.0)
    middle = sound[SAMPLE_RATE_HZ // 2 : -SAMPLE_RATE_HZ // 2]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.25)


@pytest.mark.parametrize(
    ("suffix", "codec", "container", "rate"),
    [
        (".al", "pcm_alaw", "alaw", 8_000),
        (".ulaw", "pcm_mulaw", "mulaw", 8_000),
        (".g722", "g722", "g722", 16_000),
    ],
)
def test_files_without_header_are_known_by_name(
    suffix: str, codec: str, container: str, rate: int, tmp_path: Path
) -> None:
    media = encode(Format("raw", container, codec, rate), [tone(rate, 2.0)])
    path = tmp_path / f"call{suffix}"
    path.write_bytes(media)
    for sound in (decoded(media, name=f"call{suffix}"), decoded(path)):
        assert len(sound) == 2 * SAMPLE_RATE_HZ
        assert loudest_hz(sound) == pytest.approx(440.0, abs=1.0)


@pytest.mark.parametrize(
    ("subtype", "step"),
    [
        ("PCM_U8", 2**-7),
        ("PCM_16", 2**-15),
        ("PCM_24", 2**-23),
        ("PCM_32", 2**-24),
        ("FLOAT", 0.0),
        ("DOUBLE", 0.0),
    ],
)
def test_linear_wav_is_exact_to_its_step(subtype: str, step: float) -> None:
    sound = np.random.default_rng(0).uniform(-0.99, 0.99, 16_000).astype(np.float32)
    assert np.abs(decoded(wav(sound, 16_000, subtype)) - sound).max() <= step


@pytest.mark.parametrize("subtype", ["ALAW", "ULAW"])
def test_companded_wav_equals_another_decoder(subtype: str) -> None:
    media = wav(tone(16_000, 1.0), 16_000, subtype)
    other, _ = soundfile.read(io.BytesIO(media), dtype="float32")
    assert np.array_equal(decoded(media), other)


def test_float_beyond_full_scale_is_kept() -> None:
    sound = tone(16_000, 1.0, level=3.5)
    assert np.array_equal(decoded(wav(sound, 16_000, "FLOAT")), sound)


def test_samples_that_are_no_sound_become_silence() -> None:
    sound = tone(16_000, 1.0)
    sound[[5, 9, 11]] = np.nan, np.inf, -1e30
    expected = np.where(np.isfinite(sound) & (np.abs(sound) < 10), sound, 0)
    assert np.array_equal(decoded(wav(sound, 16_000, "FLOAT")), expected)
    assert np.array_equal(decoded(sound), expected)


def test_channels_are_mixed_by_their_mean_or_picked() -> None:
    left, right = tone(16_000, 1.0, 300.0), tone(16_000, 1.0, 700.0)
    media = wav(np.stack([left, right], axis=1), 16_000, "FLOAT")
    assert np.allclose(decoded(media), (left + right) / 2, atol=1e-7)
    assert np.array_equal(decoded(media, channel=0), left)
    assert np.array_equal(decoded(media, channel=1), right)


def test_planar_channels_are_picked_too() -> None:
    form = Format("aac", "ipod", "aac", 48_000, 2)
    media = encode(form, [tone(48_000, 2.0, 300.0), tone(48_000, 2.0, 700.0)])
    assert loudest_hz(decoded(media, channel=0)) == pytest.approx(300.0, abs=1.0)
    assert loudest_hz(decoded(media, channel=1)) == pytest.approx(700.0, abs=1.0)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_a_streamed_decode_equals_resampling_at_once(rate: int) -> None:
    sound = np.random.default_rng(rate).uniform(-0.5, 0.5, round(rate * 45.3)).astype(np.float32)
    whole = soxr.resample(sound, rate, SAMPLE_RATE_HZ, quality="HQ")
    streamed = decoded(wav(sound, rate, "FLOAT"))
    assert len(streamed) == len(whole)
    assert np.abs(streamed - whole).max() < 1e-6


def test_sound_comes_in_blocks_of_one_size() -> None:
    decoder = MediaDecoder(AudioSettings())
    media = wav(tone(8_000, 2.5 * BLOCK_S), 8_000)
    lengths = [len(block) for block in decoder.decode(clip(media)).blocks]
    full = BLOCK_S * SAMPLE_RATE_HZ
    assert lengths == [full, full, full // 2]


def test_a_rate_that_changes_on_the_way_is_followed() -> None:
    first = encode(Format("a", "adts", "aac", 48_000), [tone(48_000, 2.0, 300.0)])
    second = encode(Format("b", "adts", "aac", 32_000, 2), [tone(32_000, 2.0, 700.0)] * 2)
    sound = decoded(first + second)
    assert len(sound) / SAMPLE_RATE_HZ == pytest.approx(4.0, abs=0.2)
    assert loudest_hz(sound[: 2 * SAMPLE_RATE_HZ]) == pytest.approx(300.0, abs=1.0)
    assert loudest_hz(sound[-SAMPLE_RATE_HZ:]) == pytest.approx(700.0, abs=1.0)


@pytest.mark.parametrize("kind", ["bytes", "path", "opener", "samples"])
def test_every_kind_of_media_is_read(kind: str, tmp_path: Path) -> None:
    sound = tone(16_000, 1.0)
    data = wav(sound, 16_000, "FLOAT")
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    media = {"bytes": data, "path": path, "opener": lambda: path.open("rb"), "samples": sound}
    assert np.array_equal(decoded(media[kind]), sound)


def test_the_opened_file_is_closed_early_too() -> None:
    file = io.BytesIO(wav(tone(16_000, 60.0), 16_000))
    blocks = MediaDecoder(AudioSettings()).decode(clip(lambda: file)).blocks
    next(blocks)
    assert not file.closed
    del blocks
    assert file.closed


def test_a_wav_whose_writer_never_set_the_size_is_read_whole() -> None:
    data = bytearray(wav(tone(16_000, 1.0), 16_000))
    for size in (b"\0\0\0\0", b"\xff\xff\xff\xff"):
        data[40:44] = size
        assert len(decoded(bytes(data))) == SAMPLE_RATE_HZ


FLAC = encode(Format("flac", "flac", "flac"), [tone(16_000, 2.0)])
WAV = wav(tone(16_000, 2.0), 16_000)
MP4 = encode(Format("mp4", "mp4", "aac", 44_100, 1, video="mpeg4"), [tone(44_100, 2.0)])


def damaged_header(at: int, value: bytes) -> bytes:
    return WAV[:at] + value + WAV[at + len(value) :]


def video_without_sound() -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), "yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


UNREADABLE: list[tuple[str, Media, str]] = [
    ("empty", b"", "the file is empty"),
    ("html", b"<!DOCTYPE html><html>Not found</html>", "an HTML page"),
    ("json", b'{"error": "no such file"}', "text that begins with"),
    ("playlist", b"#EXTM3U\n#EXTINF:9,\nfile:///etc/hostname\n", "a playlist"),
    ("zeros", bytes(10_000), "zeros only"),
    ("noise", np.random.default_rng(0).bytes(10_000), "begins with the bytes"),
    ("pointer", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ("wav-header", WAV[:44], "no sound"),
    ("wav-rate", damaged_header(24, b"\0\0\0\0"), "a RIFF (WAV) file whose header"),
    ("wav-rate-1", damaged_header(24, b"\1\0\0\0"), "1 samples a second"),
    ("wav-codec", damaged_header(20, b"\x77\x77"), "an audio codec that cannot be decoded"),
    ("wav-channels", damaged_header(22, b"\xff\xff"), "cannot be decoded"),
    ("flac-header", FLAC[:60], "sound"),
    ("mp4-start", MP4[:2000], "MP4"),
    ("video", video_without_sound(), "has no audio track"),
    ("no-samples", np.zeros(0, np.float32), "no sound"),
    ("two-axes", np.zeros((2, 100), np.float32), "expected mono"),
    ("integers", np.zeros(100, np.int16), "expected float32"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(
    ("media", "told"), [row[1:] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE]
)
def test_what_is_not_sound_gives_one_clear_line(
    media: Media, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ClipError, match=re.escape(told)) as caught:
        decoded(media)
    assert caught.value.stage == "audio"
    assert "\n" not in caught.value.reason
    assert capfd.readouterr() == ("", "")


def test_a_channel_that_is_not_there_is_named() -> None:
    with pytest.raises(ClipError, match="channel 1 was asked for: the sound has 1"):
        decoded(WAV, channel=1)


@pytest.mark.parametrize("name", ["missing.wav", "."])
def test_a_path_that_cannot_be_read_fails_in_the_source(name: str, tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="cannot be opened") as caught:
        decoded(tmp_path / name)
    assert caught.value.stage == "source"


class BrokenLine(io.BytesIO):
    """A file whose bytes stop coming after a while."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 8192:
            raise ConnectionResetError("connection reset by peer")
        return super().read(min(size or 4096, 4096))


LONG_FLAC = encode(
    Format("flac", "flac", "flac"),
    [np.random.default_rng(1).uniform(-0.5, 0.5, 160_000).astype(np.float32)],
)


@pytest.mark.parametrize("data", [wav(tone(16_000, 9.0), 16_000), LONG_FLAC], ids=["wav", "flac"])
def test_a_broken_line_is_the_sources_failure_not_a_short_file(data: bytes) -> None:
    with pytest.raises(ClipError, match="connection reset by peer") as caught:
        decoded(lambda: BrokenLine(data))
    assert caught.value.stage == "source"


def test_what_came_over_a_network_is_counted() -> None:
    metrics = Metrics()
    decoder = MediaDecoder(AudioSettings(), metrics)
    assert list(decoder.decode(clip(lambda: io.BytesIO(WAV))).blocks)
    assert metrics.counts()["bytes"] >= len(WAV)
    assert metrics.seconds()["source"] > 0


def index_first() -> bytes:
    """A MOV file with its index before the sound, as files for streaming have it."""
    import av

    frame = av.AudioFrame.from_ndarray(np.zeros((1, 160_000), np.int16), "s16", "mono")
    frame.sample_rate = 16_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mov")
        with av.open(path, "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("pcm_s16le", 16_000, layout="mono")
            container.mux([*stream.encode(frame), *stream.encode(None)])
        return path.read_bytes()


TRUNCATED = [
    ("wav", wav(tone(16_000, 10.0), 16_000)),
    ("flac", LONG_FLAC),
    ("aiff", wav(tone(16_000, 10.0), 16_000, form="AIFF")),
    ("mov", index_first()),
]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (Format("wav-16", "wav", "pcm_s16le"), "holds 30.0 s of sound by its header"),
        (Format("flac", "flac", "flac", 44_100), "holds 30.0 s of sound by its header"),
        (
            Format("mp3", "mp3", "libmp3lame", 44_100),
            "the sound is longer than",
        ),  # heard as it comes
    ],
    ids=lambda case: case.name if isinstance(case, Format) else "",
)
def test_a_recording_may_be_so_long_and_no_longer(form: Format, told: str) -> None:
    media = encode(form, [tone(form.rate, 30.0)])
    short = MediaDecoder(AudioSettings(max_duration_s=25.0))
    with pytest.raises(TooLongError, match=f"{told}.*raise the max duration"):
        list(short.decode(clip(media)).blocks)
    assert list(MediaDecoder(AudioSettings(max_duration_s=31.0)).decode(clip(media)).blocks)


def test_a_recording_that_is_absurdly_long_is_refused_at_once(tmp_path: Path) -> None:
    path, claim = tmp_path / "long.wav", 8000 * 30 * 3600
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))
    size = (8000).to_bytes(4, "little")
    path.write_bytes(
        path.read_bytes().replace(b"data" + size, b"data" + claim.to_bytes(4, "little"))
    )
    decoder = MediaDecoder(AudioSettings())
    assert list(decoder.decode(clip(path)).blocks)  # a header that claims too much is not believed
    os.truncate(path, claim + 44)  # now the file has a hole of that size
    with pytest.raises(ClipError, match=r"30.00 h of sound by its header, more than the 24.00 h"):
        next(iter(decoder.decode(clip(path)).blocks))


@pytest.mark.parametrize("data", [row[1] for row in TRUNCATED], ids=[row[0] for row in TRUNCATED])
def test_a_truncated_file_yields_its_sound_and_a_warning(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    decoder = MediaDecoder(AudioSettings(), metrics)
    with caplog.at_level(logging.WARNING, "quest22"):
        sound = np.concatenate(list(decoder.decode(clip(data[: len(data) * 6 // 10])).blocks))
    assert len(sound) / SAMPLE_RATE_HZ == pytest.approx(6.0, abs=0.3)
    assert re.search(
        r"[2-4]\.\d of (8|10)\.\d s of sound are missing: the file ends early", caplog.text
    )
    assert metrics.counts()["truncated"] == 1


@pytest.mark.parametrize("data", [WAV, FLAC, MP4], ids=["wav", "flac", "mp4"])
def test_a_whole_file_gives_no_warning(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "quest22"):
        decoded(data)
    assert not caplog.records


def test_damaged_packets_are_passed_over_and_counted() -> None:
    data = bytearray(encode(Format("mp3", "mp3", "libmp3lame", 44_100), [tone(44_100, 20.0)]))
    for at in range(20_000, 100_000, 5_000):
        data[at : at + 300] = np.random.default_rng(at).bytes(300)
    metrics = Metrics()
    blocks = MediaDecoder(AudioSettings(), metrics).decode(clip(bytes(data))).blocks
    assert sum(len(block) for block in blocks) > 15 * SAMPLE_RATE_HZ
    assert metrics.counts()["damaged_packets"] > 0


def test_clips_are_decoded_in_several_threads_at_once() -> None:
    decoder = MediaDecoder(AudioSettings())
    sounds: dict[int, Samples] = {}

    def work(number: int) -> None:
        sounds[number] = np.concatenate(list(decoder.decode(clip(LONG_FLAC)).blocks))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(sounds[0], sounds[number]) for number in range(1, 4))


def test_values_beyond_float32_become_silence_without_a_murmur() -> None:
    sound = np.stack([tone(16_000, 1.0), tone(16_000, 1.0)], axis=1).astype(np.float64)
    sound[7] = 1e300, 1e300
    sound[9] = 3e38, 3e38
    told = decoded(wav(sound, 16_000, "DOUBLE"))
    assert told[7] == told[9] == 0
    assert np.isfinite(told).all()
