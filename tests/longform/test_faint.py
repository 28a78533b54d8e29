"""What is too faint for a voice detector is amplified, unless the recording is loud elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from quest22.audio.vad.silero.model import SileroModel
from quest22.longform.faint import BLOCK_SAMPLES, FaintSpeech
from quest22.longform.soundless import AUDIBLE
from quest22.records import VAD_FRAME_SAMPLES, Samples
from tests.support.recordings import NANO_IS_HERE, recordings


class Detector:
    """Gives the peak of each frame that it is fed."""

    def __init__(self) -> None:
        self.pending = np.empty(0, np.float32)

    def feed(self, samples: Samples) -> NDArray[np.float32]:
        sound = np.concatenate((self.pending, samples))
        whole = len(sound) // VAD_FRAME_SAMPLES * VAD_FRAME_SAMPLES
        self.pending = sound[whole:]
        peaks: NDArray[np.float32] = np.abs(sound[:whole]).reshape(-1, VAD_FRAME_SAMPLES).max(1)
        return peaks

    def flush(self) -> NDArray[np.float32]:
        return np.abs(self.pending).max(initial=0.0, keepdims=True)


def tone(level: float, blocks: float = 1.0) -> Samples:
    time = np.arange(round(blocks * BLOCK_SAMPLES))
    return (level * np.sin(time / 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("levels", "heard"),
    [
        ([0.001], [0.2]),
        ([0.001, 0.0005], [0.2, 0.1]),
        ([0.001, 0.5], [0.2, 0.5]),
        ([0.5, 0.001], [0.5, 0.001]),
        ([0.01], [0.01]),
        ([0.00005], [0.00005]),
        ([0.0, 0.001], [0.0, 0.2]),
    ],
)
def test_what_is_faint_is_amplified_until_something_is_loud(levels, heard):
    speech = FaintSpeech(Detector())
    probabilities = [speech.feed(tone(level)).max() for level in levels]
    assert probabilities == pytest.approx(heard, rel=0.01)


def test_the_sizes_of_blocks_do_not_matter():
    sound = np.concatenate([tone(0.002, 1.3), tone(0.2, 0.4), tone(0.001, 0.8)])
    whole, cut = FaintSpeech(Detector()), FaintSpeech(Detector())
    expected = np.concatenate((whole.feed(sound), whole.flush()))
    parts = [cut.feed(part) for part in np.array_split(sound, 17)]
    assert np.array_equal(np.concatenate((*parts, cut.flush())), expected)
    assert len(expected) == len(sound) // VAD_FRAME_SAMPLES + 1


@pytest.mark.skipif(not NANO_IS_HERE, reason="the recordings come with nano")
def test_speech_at_minus_60_db_is_found():
    silero = SileroModel()
    (sound,) = recordings("en", 1)
    faint = sound * np.float32(0.001 / np.abs(sound).max())

    def frames(detector):
        return int((np.concatenate((detector.feed(faint), detector.flush())) >= AUDIBLE).sum())

    assert frames(silero.open()) == 0
    assert frames(FaintSpeech(silero.open())) > 0.5 * len(faint) / VAD_FRAME_SAMPLES
