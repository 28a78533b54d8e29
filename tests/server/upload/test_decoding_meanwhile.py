"""Recordings are decoded while they arrive, to the same sound."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from quest22.audio.decode import MediaDecoder
from quest22.records import SAMPLE_RATE_HZ, Samples
from quest22.server.upload.growing_file import GrowingFile
from quest22.server.upload.temporary_space import TemporarySpace
from quest22.settings import AudioSettings
from tests.support.sounds import Format, clip, encode, tone

SECONDS = 45
PADDING = {"mp3": 2304}
"""What an encoder fills up its last frames with, in samples; FFmpeg cuts it off whole files."""
SOUND = np.concatenate([tone(16_000, 1, 200.0 + 10 * each) for each in range(SECONDS)])

FORWARD = [
    Format("wav", "wav", "pcm_s16le"),
    Format("mp3", "mp3", "libmp3lame"),
    Format("opus", "ogg", "libopus"),
    Format("vorbis", "ogg", "libvorbis"),
    Format("flac", "flac", "flac"),
    Format("webm", "webm", "libopus"),
    Format("aac", "adts", "aac"),
    Format("au", "au", "pcm_s16be"),
]
WHOLE = [Format("m4a", "ipod", "aac"), Format("aiff", "aiff", "pcm_s16be")]


def decoded(file: GrowingFile) -> Samples:
    return np.concatenate(list(MediaDecoder(AudioSettings()).decode(clip(file.open)).blocks))


def assert_same(meanwhile: Samples, data: bytes, form: Format) -> None:
    whole = np.concatenate(list(MediaDecoder(AudioSettings()).decode(clip(data)).blocks))
    more = len(meanwhile) - len(whole)
    assert 0 <= more <= PADDING.get(form.name, 0)
    same = len(whole) if not more else len(whole) - 400  # the resampler hears what follows
    np.testing.assert_array_equal(meanwhile[:same], whole[:same])


@pytest.mark.parametrize("form", FORWARD, ids=lambda form: form.name)
@pytest.mark.parametrize("says_size", [True, False])
def test_the_first_half_is_decoded_before_the_second_has_come(
    form: Format, says_size: bool
) -> None:
    data = encode(form, [SOUND])
    if form.name in ("wav", "flac", "au") and not says_size:
        pytest.skip("its length is compared with the file's, which has to be known")
    file = GrowingFile(TemporarySpace(), len(data) if says_size else None)
    file.write(data[: 2 * len(data) // 3])
    blocks = MediaDecoder(AudioSettings()).decode(clip(file.open)).blocks
    first = next(iter(blocks))
    assert len(first) == 20 * SAMPLE_RATE_HZ
    file.write(data[2 * len(data) // 3 :])
    file.finish()
    meanwhile = np.concatenate([first, *blocks])
    assert_same(meanwhile, data, form)
    file.close()


@pytest.mark.parametrize("form", [*FORWARD, *WHOLE], ids=lambda form: form.name)
@pytest.mark.parametrize("says_size", [True, False])
def test_what_trickles_in_is_the_same_sound(form: Format, says_size: bool) -> None:
    data = encode(form, [SOUND[: 16_000 * 5]])
    file = GrowingFile(TemporarySpace(), len(data) + 2 if says_size else None)
    results: list[Samples] = []
    reader = threading.Thread(target=lambda: results.append(decoded(file)))
    reader.start()
    for start in range(0, len(data), 5000):
        file.write(data[start : start + 5000])
    file.finish()
    reader.join()
    assert_same(results[0], data, form)
    file.close()
