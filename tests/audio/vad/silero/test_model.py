from __future__ import annotations

import hashlib
from importlib import resources

import numpy as np
import pytest
import soundfile
import soxr

from quest22.audio.vad.endpoints import EndpointRules
from quest22.audio.vad.silero.model import SileroModel
from quest22.audio.vad.speech_stream import SpeechStream
from quest22.records import VAD_FRAME_SAMPLES
from tests.support.fake_speech import joined

FOLDER = resources.files("quest22.audio.vad.silero")


@pytest.fixture(scope="module")
def network():
    return SileroModel()


@pytest.fixture(scope="module")
def theirs():
    return pytest.importorskip("faster_whisper.vad")


def noise(seconds: float, level: float = 0.1):
    return np.random.default_rng(0).normal(0, level, round(16_000 * seconds)).astype(np.float32)


def probabilities(network, sound, *sizes):
    stream = network.open()
    cuts = np.cumsum(sizes)
    parts = [stream.feed(block) for block in np.split(sound, cuts)]
    return np.concatenate([*parts, stream.flush()])


def test_the_file_is_the_one_that_its_page_names():
    found = hashlib.sha256(FOLDER.joinpath("silero_vad_v6.onnx").read_bytes()).hexdigest()
    assert found in FOLDER.joinpath("README.md").read_text()
    assert "Silero Team" in FOLDER.joinpath("LICENSE").read_text()


@pytest.mark.parametrize(
    ("samples", "frames"), [(0, 1), (1, 1), (511, 1), (512, 2), (513, 2), (16_000, 32)]
)
def test_a_probability_for_each_frame_the_last_filled_up(network, samples, frames):
    found = probabilities(network, noise(1)[:samples])
    assert found.shape == (frames,)
    assert ((found >= 0) & (found <= 1)).all()


def test_how_the_sound_came_in_changes_nothing(network):
    sound = noise(40)
    whole = probabilities(network, sound)
    assert np.array_equal(whole, probabilities(network, sound, 1, 600, 7000, 200_000, 100_001))


def test_clips_do_not_hear_one_another(network):
    first, second = network.open(), network.open()
    sound = noise(20)
    apart = network.open().feed(sound)
    first.feed(noise(20, 0.5))
    assert np.array_equal(second.feed(sound), apart)


def test_live_sound_is_judged_frame_by_frame_as_a_clip_is(network):
    sound, other = noise(20) * np.sin(np.arange(320_000) / 4000).astype(np.float32), noise(20, 0.5)
    sessions = network.open_live(), network.open_live()
    found = []
    for block, noisy in zip(np.split(sound, 500), np.split(other, 500), strict=True):
        found.append(sessions[0].feed(block))
        sessions[1].feed(noisy)
    expected = network.open().feed(sound)
    alike = np.concatenate(found)[: len(expected)]
    assert alike == pytest.approx(expected, abs=1e-6)
    assert len(np.concatenate(found)) == len(sound) // VAD_FRAME_SAMPLES


@pytest.mark.parametrize("sound", [np.zeros(160_000, np.float32), noise(10), noise(10, 0.001)])
def test_silence_and_noise_are_no_speech(network, sound):
    stream = SpeechStream(network.open(), EndpointRules())
    assert stream.feed(sound) + stream.flush() == []


@pytest.mark.reference
@pytest.mark.parametrize("seconds", [0.5, 3.2, 30])
def test_probabilities_are_those_of_faster_whisper(network, theirs, seconds):
    sound = noise(seconds) * np.sin(np.arange(round(16_000 * seconds)) / 4000).astype(np.float32)
    rest = VAD_FRAME_SAMPLES - len(sound) % VAD_FRAME_SAMPLES
    reference = theirs.get_vad_model()(np.pad(sound, (0, rest))).ravel()
    assert probabilities(network, sound)[:-1] == pytest.approx(reference[:-1], abs=1e-5)


RULES = {
    "sequential": (EndpointRules(), {}),
    "packed": (
        EndpointRules(max_speech=30 * 16_000 - 512 - 12_800, min_silence=2560),
        {"max_speech_duration_s": 30, "min_silence_duration_ms": 160},
    ),
    "strict": (
        EndpointRules(0.7, 0.55, 4000, 8 * 16_000 - 512 - 960, 8000, 480),
        {"threshold": 0.7, "min_speech_duration_ms": 250, "max_speech_duration_s": 8,
         "min_silence_duration_ms": 500, "speech_pad_ms": 30},
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.speech
@pytest.mark.parametrize(("rules", "options"), RULES.values(), ids=RULES)
def test_stretches_of_real_speech_are_those_of_faster_whisper(
    network, theirs, speech_folder, rules, options
):
    compared = 0
    for sound in _recordings(speech_folder):
        found = theirs.get_speech_timestamps(sound, theirs.VadOptions(**options))
        stream = SpeechStream(network.open(), rules)
        blocks = np.array_split(sound, max(1, len(sound) // 320_000))
        pieces = [piece for block in blocks for piece in stream.feed(block)]
        assert joined(pieces + stream.flush()) == [(each["start"], each["end"]) for each in found]
        compared += len(found)
    assert compared > 100


def _recordings(folder):
    for path in sorted(folder.rglob("*.flac")):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        yield soxr.resample(samples.mean(axis=1), rate, 16_000).astype(np.float32)
