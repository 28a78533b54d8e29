from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.audio.log_mel import (
    FRAMES,
    LogMel,
    LogMelStream,
    hann_window,
    log10_mel,
    mel_filters,
)
from quest22.native import library
from quest22.records import SAMPLE_RATE_HZ, WINDOW_SAMPLES, Samples
from quest22.system.machine import processor_flags
from tests.support.numpy_log_mel import log_mel

RANDOM = np.random.default_rng(0)
TIME_S = np.arange(WINDOW_SAMPLES) / SAMPLE_RATE_HZ


def float32(values: np.ndarray) -> Samples:
    return values.astype(np.float32)


SOUNDS: dict[str, Samples] = {
    "empty": np.zeros(0, np.float32),
    "one-sample": np.ones(1, np.float32),
    "silence": np.zeros(16_000, np.float32),
    "short-noise": float32(RANDOM.normal(0, 0.1, 1_234)),
    "noise": float32(RANDOM.normal(0, 0.1, WINDOW_SAMPLES)),
    "loud-noise": float32(RANDOM.normal(0, 3.0, 100_000)),
    "quiet-noise": float32(RANDOM.normal(0, 1e-6, 100_000)),
    "almost-full": float32(RANDOM.normal(0, 0.1, WINDOW_SAMPLES - 100)),
    "chunk-edge": float32(RANDOM.normal(0, 0.1, 500 * 160 - 200)),
    "tone": float32(0.5 * np.sin(2 * np.pi * 440 * TIME_S)),
    "click": float32(TIME_S == 1.0),
    "constant": np.full(40_000, 0.25, np.float32),
}


@pytest.fixture(scope="module", params=[80, 128])
def n_mels(request: pytest.FixtureRequest) -> int:
    return int(request.param)


SETS = library.suitable(library.FOLDER, frozenset(processor_flags()))


@pytest.fixture(scope="module", params=[*SETS, "off"])
def extractor(n_mels: int, request: pytest.FixtureRequest) -> LogMel:
    """In machine code for each instruction set, and as a graph."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUEST22_NATIVE", request.param)
        return LogMel(n_mels, threads=1)


@pytest.mark.reference
@pytest.mark.parametrize("name", SOUNDS)
def test_features_equal_transformers(name: str, n_mels: int, extractor: LogMel) -> None:
    transformers = pytest.importorskip("transformers", reason="Transformers is not installed")
    reference = transformers.WhisperFeatureExtractor(feature_size=n_mels)
    sound = SOUNDS[name]
    padded = sound if len(sound) else np.zeros(1, np.float32)
    expected = reference(padded, sampling_rate=SAMPLE_RATE_HZ, return_tensors="np")
    expected = expected["input_features"][0]
    assert extractor(sound).shape == expected.shape == (n_mels, FRAMES)
    assert np.abs(extractor(sound) - expected).max() < 1e-4
    assert np.abs(log_mel(sound, n_mels) - expected).max() < 1e-4


@pytest.mark.reference
@pytest.mark.speech
def test_features_of_speech_equal_transformers(
    n_mels: int, extractor: LogMel, speech_folder: Path
) -> None:
    transformers = pytest.importorskip("transformers", reason="Transformers is not installed")
    import soundfile

    reference = transformers.WhisperFeatureExtractor(feature_size=n_mels)
    paths = sorted(speech_folder.glob("en_commonvoice100/*.flac"))[:5]
    paths += sorted(speech_folder.glob("ru_golos15/*.flac"))[:2]
    assert paths
    for path in paths:
        sound, rate = soundfile.read(path, dtype="float32")
        expected = reference(sound, sampling_rate=rate, return_tensors="np")["input_features"][0]
        assert np.abs(extractor(sound) - expected).max() < 1e-4


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, WINDOW_SAMPLES))
def test_the_fast_way_equals_the_plain_one(
    extractor: LogMel, n_mels: int, seed: int, count: int
) -> None:
    random = np.random.default_rng(seed)
    sound = float32(random.normal(0, 10.0 ** random.uniform(-5, 0), count))
    # So much does a float32 transform round the quietest bins, 10⁸ below the loudest.
    assert np.abs(extractor(sound) - log_mel(sound, n_mels)).max() < 2e-4


def test_longer_sound_is_cut_at_30_s(extractor: LogMel) -> None:
    sound = float32(RANDOM.normal(0, 0.1, WINDOW_SAMPLES + 16_000))
    assert np.array_equal(extractor(sound), extractor(sound[:WINDOW_SAMPLES]))


def test_threads_may_share_an_extractor(extractor: LogMel) -> None:
    sounds = [float32(RANDOM.normal(0, 0.1, 20_000)) for _ in range(8)]
    alone = [extractor(sound) for sound in sounds]
    together: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda i=i: together.update({i: extractor(sounds[i])}))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(alone[i], together[i]) for i in range(8))


def test_filters_have_equal_area_and_one_peak(n_mels: int) -> None:
    filters = mel_filters(n_mels)
    assert filters.shape == (n_mels, 201)
    assert (filters >= 0).all()
    assert (np.diff(np.argmax(filters, axis=1)) >= 0).all()


def test_the_window_is_a_periodic_hann() -> None:
    window = hann_window()
    assert window[0] == 0
    assert window[200] == 1
    assert np.allclose(window[1:], window[:0:-1])


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
