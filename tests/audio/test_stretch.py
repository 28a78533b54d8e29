"""A stretch of a recording has the samples that the whole has there, in every format."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from quest22.audio import stretch
from quest22.audio.decode import MediaDecoder
from quest22.audio.decode_apart import ProcessDecoder
from quest22.errors import ClipError
from quest22.records import SAMPLE_RATE_HZ, Clip, Origin, Samples
from quest22.settings import AudioSettings

SECONDS = 40
SHIFT = 20
"""Containers round their timestamps to milliseconds: 16 samples."""
FORMATS = [
    ("wav", "pcm_s16le"), ("flac", "flac"), ("mp3", "libmp3lame"), ("mp4", "aac"),
    ("matroska", "libopus"), ("ogg", "flac"), ("ogg", "libopus"), ("adts", "aac"),
    ("mpegts", "aac"), ("aiff", "pcm_s16be"),
]  # fmt: skip


def encoded(container: str, codec: str, rate_hz: int = 48_000) -> bytes:
    """A tone that rises from second to second, so that every place differs."""
    times = np.arange(SECONDS * rate_hz) / rate_hz
    tone = 0.3 * np.sin(2 * np.pi * (200 * times + 10 * times**2))
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate_hz, layout="mono")
        samples = (tone * 32767).astype(np.int16)
        for start in range(0, len(samples), 4_800):
            frame = av.AudioFrame.from_ndarray(
                samples[np.newaxis, start : start + 4_800], format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = rate_hz, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def decoded(clip: Clip) -> Samples:
    return np.concatenate(list(MediaDecoder(AudioSettings()).decode(clip).blocks))


def least_difference(part: Samples, expected: Samples) -> float:
    """Between the same sounds, of which one may be a millisecond later: root mean square.

    AAC fills what it leaves out with noise, which is another each time.
    """
    length = min(len(part), len(expected)) - 100 - SHIFT  # resampling ends with the recording
    middle = expected[SHIFT : length - SHIFT]
    differences = (
        np.sqrt(np.mean((part[shift : shift + len(middle)] - middle) ** 2))
        for shift in range(2 * SHIFT)
    )
    return float(min(differences))


@pytest.mark.parametrize(("container", "codec"), FORMATS)
def test_a_stretch_is_a_part_of_the_whole(container: str, codec: str) -> None:
    clip = Clip("a", f"a.{container}", encoded(container, codec), Origin("d"))
    whole = decoded(clip)
    for offset_s, duration_s in ((0.0, 3.0), (2.25, 1.5), (7.5, None), (31.0, 4.0), (38.5, 30.0)):
        part = decoded(replace(clip, offset_s=offset_s, duration_s=duration_s))
        start = round(offset_s * SAMPLE_RATE_HZ)
        stop = None if duration_s is None else start + round(duration_s * SAMPLE_RATE_HZ)
        expected = whole[start:stop]
        assert abs(len(part) - len(expected)) <= SHIFT
        assert least_difference(part, expected) < 0.02


@pytest.mark.parametrize(("container", "codec"), FORMATS[:2])
def test_what_comes_before_a_stretch_is_not_decoded(
    monkeypatch: pytest.MonkeyPatch, container: str, codec: str
) -> None:
    clip = Clip("a", "a", encoded(container, codec), Origin("d"))
    taken = []
    plain = stretch.frames

    def counted(*args: Any) -> Any:
        for item in plain(*args):
            taken.append(item)
            yield item

    monkeypatch.setattr(stretch, "frames", counted)
    decoded(replace(clip, offset_s=30.0, duration_s=2.0))
    assert sum(frame.duration_s for frame in taken) < 8


@pytest.mark.parametrize("offset_s", [40.0, 41.0, 1_000.0, 900_000.0])
def test_a_stretch_behind_the_end_says_so(offset_s: float) -> None:
    clip = Clip("a", "a.wav", encoded("wav", "pcm_s16le"), Origin("d"), offset_s=offset_s)
    with pytest.raises(ClipError, match=r"the recording is 40\.0 s long"):
        decoded(clip)


def test_the_limit_of_duration_is_that_of_the_stretch() -> None:
    clip = Clip("a", "a.wav", encoded("wav", "pcm_s16le"), Origin("d"), offset_s=30, duration_s=5)
    told: list[float] = []
    settings = AudioSettings(max_duration_s=6.0)
    audio = MediaDecoder(settings, on_duration=lambda _, each: told.append(each)).decode(clip)
    assert sum(map(len, audio.blocks)) == 5 * SAMPLE_RATE_HZ
    assert told == [5.0]


def test_damage_is_that_of_the_stretch(tmp_path: Path) -> None:
    content = bytearray(encoded("adts", "aac"))
    middle = len(content) // 2  # 20 s
    content[middle : middle + 3_000] = bytes(3_000)
    clip = Clip("a", "a.aac", bytes(content), Origin("d"))
    for offset_s, damaged in ((0.0, False), (15.0, True), (30.0, False)):
        audio = MediaDecoder(AudioSettings()).decode(
            replace(clip, offset_s=offset_s, duration_s=8.0)
        )
        assert sum(map(len, audio.blocks)) == 8 * SAMPLE_RATE_HZ
        assert bool(audio.damage) == damaged
        for place in audio.damage:
            assert 3 < place.start_s <= place.end_s < 8


def test_a_stretch_is_decoded_apart_alike() -> None:
    clip = Clip("a", "a.flac", encoded("flac", "flac"), Origin("d"), offset_s=12.0, duration_s=2.0)
    apart = np.concatenate(list(ProcessDecoder(AudioSettings()).decode(clip).blocks))
    np.testing.assert_array_equal(apart, decoded(clip))
