"""Lost sound and tags in streams of packets without a container."""

from __future__ import annotations

import numpy as np
import pytest

from quest22.audio.decode import MediaDecoder
from quest22.records import SAMPLE_RATE_HZ, Damage
from quest22.settings import AudioSettings
from tests.support.sounds import Format, clip, encode, tone


def heard(media: bytes) -> tuple[float, list[Damage]]:
    audio = MediaDecoder(AudioSettings()).decode(clip(media))
    return sum(map(len, audio.blocks)) / SAMPLE_RATE_HZ, audio.damage


def noise(form: Format, seconds: float) -> bytes:
    sound = np.random.default_rng(0).normal(0, 0.1, round(seconds * form.rate))
    return encode(form, [sound.astype(np.float32)] * form.channels)


AC3 = Format("ac3", "ac3", "ac3", 48_000, 2)
EAC3 = Format("eac3", "eac3", "eac3", 48_000)
MP3 = Format("mp3", "mp3", "libmp3lame", 44_100)
MP2 = Format("mp2", "mp2", "mp2", 44_100)
FLAC = Format("flac", "flac", "flac", 44_100)


@pytest.mark.parametrize("form", [AC3, EAC3, MP3, MP2, FLAC], ids=lambda form: form.name)
def test_a_hole_is_as_long_as_its_bytes_say(form: Format) -> None:
    data = bytearray(noise(form, 20.0))
    begin, size = len(data) // 2, len(data) // 8
    data[begin : begin + size] = bytes(size)
    seconds, damage = heard(bytes(data))
    assert seconds == pytest.approx(20.0, abs=0.15)
    assert damage[0].start_s == pytest.approx(10.0, abs=0.15)
    assert damage[-1].end_s == pytest.approx(12.5, abs=0.2)


@pytest.mark.parametrize("form", [AC3, EAC3, MP3, MP2, FLAC], ids=lambda form: form.name)
def test_a_hole_at_the_beginning_loses_no_more_than_itself(form: Format) -> None:
    data = bytearray(noise(form, 4.0))
    size = len(data) // 2
    data[100 : 100 + size] = bytes(size)
    assert heard(bytes(data))[0] > 1.8


def id3(picture: bytes) -> bytes:
    size = len(picture)
    return b"ID3\3\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + picture


PICTURE = np.random.default_rng(1).bytes(90_000)
APE = b"APETAGEX" + (2000).to_bytes(4, "little") + (3000).to_bytes(4, "little") + bytes(16)
TAGS = {
    "ID3v2 with a picture": id3(PICTURE),
    "ID3v1": b"TAG" + bytes(125),
    "APE": APE + bytes(3000),
    "none": b"",
}


@pytest.mark.parametrize("tag", TAGS.values(), ids=TAGS)
def test_tags_between_joined_files_are_no_sound(tag: bytes) -> None:
    media = noise(MP3, 5.0)
    seconds, damage = heard(media + tag + media)
    assert seconds == pytest.approx(10.0, abs=0.15)
    assert not damage


def test_a_header_that_claims_hours_is_not_believed() -> None:
    data = bytearray(encode(FLAC, [tone(44_100, 5.0)]))
    data[21] |= 0x0F  # the high bits of the number of samples (RFC 9639, section 8.2)
    assert heard(bytes(data)) == (pytest.approx(5.0), [])
