from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.audio.log_mel import LogMel, log10_mel
from quest22.audio.mel_stream import LogMelStream
from quest22.records import Samples

MEL = LogMel(80)


def noise(count: int) -> Samples:
    return np.random.default_rng(count).normal(0, 0.1, count).astype(np.float32)


@settings(max_examples=30)
@given(count=st.integers(0, 120_000), block=st.integers(100, 50_000))
def test_blocks_make_the_frames_of_the_whole(count: int, block: int) -> None:
    samples = noise(count)
    stream = LogMelStream(MEL)
    made = [stream.feed(samples[at : at + block]) for at in range(0, count, block)]
    frames = np.concatenate([*made, stream.flush()], axis=1)
    whole = log10_mel(np.concatenate([samples, np.zeros(48_000, np.float32)]))
    assert frames.shape == (80, count // 160)
    np.testing.assert_allclose(frames, whole[:, : count // 160], atol=2e-4)


@pytest.mark.reference
def test_equal_to_openai() -> None:
    torch = pytest.importorskip("torch")
    whisper = pytest.importorskip("whisper")
    samples = noise(100_000)
    expected = whisper.log_mel_spectrogram(torch.from_numpy(samples), padding=480_000).numpy()
    stream = LogMelStream(MEL)
    frames = np.concatenate([stream.feed(samples), stream.flush()], axis=1)
    normal = (np.maximum(frames, frames.max() - 8) + 4) / 4
    np.testing.assert_allclose(normal, expected[:, : normal.shape[1]], atol=1e-4)
