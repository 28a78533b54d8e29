"""The channels of a recording kept apart, for callers who have one each."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import soxr

from quest22.audio.decode import BLOCK_S, MediaDecoder
from quest22.audio.decode_apart import ProcessDecoder
from quest22.audio.each_channel import channel_pieces
from quest22.audio.frames import Frame, Layout
from quest22.audio.levels import Levels
from quest22.audio.timeline import Silence
from quest22.errors import ClipError
from quest22.records import SAMPLE_RATE_HZ, Samples
from quest22.settings import AudioSettings
from tests.support.sounds import Format, clip, encode, tone

EACH = AudioSettings(channel="each")
TONES = [tone(8000, 45.0, 300.0), tone(8000, 45.0, 700.0)]


def wav(rate_hz: int, *channels: Samples, subtype: str = "FLOAT") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.stack(channels, axis=1), rate_hz, format="WAV", subtype=subtype)
    return file.getvalue()


def blocks(media: bytes, **stretch: float) -> list[Samples]:
    return list(MediaDecoder(EACH).decode(replace(clip(media), **stretch)).blocks)


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16", "PCM_U8"])
@pytest.mark.parametrize("rate_hz", [8000, SAMPLE_RATE_HZ])
def test_each_channel_is_what_it_is_alone(rate_hz: int, subtype: str) -> None:
    found = blocks(wav(rate_hz, *TONES, subtype=subtype))
    assert {block.dtype.name for block in found} == {"float32"}
    assert {block.shape[1:] for block in found} == {(2,)}
    whole = np.concatenate(found)
    assert {len(block) for block in found[:-1]} == {BLOCK_S * SAMPLE_RATE_HZ}
    for number, signal in enumerate(TONES):
        decoder = MediaDecoder(AudioSettings())
        alone = decoder.decode(clip(wav(rate_hz, signal, subtype=subtype)))
        assert np.allclose(whole[:, number], np.concatenate(list(alone.blocks)), atol=1e-6)


def test_planar_sound_is_kept_apart_too() -> None:
    media = encode(
        Format("flac", "flac", "flac", channels=2), [tone(16_000, 2.0, hz) for hz in (300.0, 700.0)]
    )
    (block,) = blocks(media)
    spectra = np.abs(np.fft.rfft(block, axis=0)).argmax(axis=0) * SAMPLE_RATE_HZ / len(block)
    assert spectra == pytest.approx([300.0, 700.0], abs=1.0)


def test_a_mono_recording_has_no_channels() -> None:
    (block,) = blocks(wav(8000, TONES[0][:8000]))
    assert block.ndim == 1


def test_stretches_begin_where_they_should() -> None:
    media = wav(SAMPLE_RATE_HZ, *TONES)
    whole = np.concatenate(blocks(media))
    part = np.concatenate(blocks(media, offset_s=7.5, duration_s=1.25))
    assert np.array_equal(part, whole[120_000:140_000])


def test_a_process_of_its_own_keeps_them_apart() -> None:
    media = wav(8000, *(signal[:160_000] for signal in TONES))
    apart = list(ProcessDecoder(EACH).decode(clip(media)).blocks)
    assert [block.shape for block in apart] == [block.shape for block in blocks(media)]
    assert all(map(np.array_equal, apart, blocks(media)))
    mono = wav(8000, TONES[0][:8000])
    assert np.array_equal(next(ProcessDecoder(EACH).decode(clip(mono)).blocks), blocks(mono)[0])


def test_more_than_eight_channels_are_refused() -> None:
    media = wav(SAMPLE_RATE_HZ, *[TONES[0][:1600]] * 9)
    with pytest.raises(ClipError, match="has 9 channels: --channel each takes 8 at most"):
        blocks(media)


def test_integers_stored_as_float_and_broken_samples_are_mended() -> None:
    loud, broken = TONES[0][:8000] * 20_000, TONES[1][:8000].copy()
    (block,) = blocks(wav(SAMPLE_RATE_HZ, loud, loud))
    assert 0.1 < np.abs(block).max() <= 1.0
    broken[100] = np.nan
    (block,) = blocks(wav(SAMPLE_RATE_HZ, TONES[0][:8000], broken))
    assert block[100, 1] == 0.0
    assert np.isfinite(block).all()


def frame(channels: int, value: float) -> Frame:
    values = np.full((channels, 10), value, np.float32)
    return Frame(Layout(16_000, channels, True, "fltp"), values, 10, None)


def test_silence_and_parts_of_other_widths_have_the_first_ones_channels() -> None:
    items = [Silence(5, 16_000), frame(2, 0.5), Silence(3, 16_000), frame(1, 0.25), frame(4, 0.125)]
    pieces = [piece for _, piece in channel_pieces(items, Levels())]
    assert [piece.shape for piece in pieces] == [(5, 2), (10, 2), (3, 2), (10, 2), (10, 2)]
    assert [float(piece.max()) for piece in pieces] == [0.0, 0.5, 0.0, 0.25, 0.125]
    mono = [piece for _, piece in channel_pieces([frame(1, 0.5), frame(2, 0.25)], Levels())]
    assert [piece.shape for piece in mono] == [(10,), (10,)]


def test_channels_are_resampled_as_soxr_does_alone() -> None:
    whole = np.concatenate(blocks(wav(8000, *TONES)))
    for number, signal in enumerate(TONES):
        expected = soxr.resample(signal, 8000, SAMPLE_RATE_HZ, quality="HQ")
        assert np.allclose(whole[:, number], expected, atol=1e-6)
