from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from quest22.audio.vad.silero.model import SileroModel
from quest22.longform.chunked import ChunkedStrategy
from quest22.longform.soundless import SoundCheck, SoundlessStrategy
from quest22.protocols import FrameStream, LongForm, SpeechProbabilities
from quest22.records import (
    SAMPLE_RATE_HZ,
    VAD_FRAME_SAMPLES,
    Hypothesis,
    Samples,
    Transcript,
    Window,
)
from quest22.settings import DecodingSettings, HallucinationSettings, LongFormSettings
from tests.support.fake_whisper import CLIP, NUMBERS, make_hypothesis, timestamp_token
from tests.support.recordings import NANO_IS_HERE, recordings

S = SAMPLE_RATE_HZ
TIME_S = np.arange(2 * S) / S
RNG = np.random.default_rng(0)


def silent(seconds: float = 2.0) -> Samples:
    return np.zeros(round(seconds * S), np.float32)


def voice(seconds: float = 2.0, level: float = 0.2) -> Samples:
    return (level * RNG.normal(size=round(seconds * S))).astype(np.float32)


def with_click(sound: Samples, length: int = 1) -> Samples:
    clicked = sound.copy()
    clicked[S : S + length] = 0.9
    return clicked


def stepped(sound: Samples) -> Samples:
    return np.where(TIME_S > 0.7, np.float32(0.4), sound)


EMPTY = {
    "digital silence": silent(),
    "nothing": silent(0),
    "an offset": silent() + np.float32(0.5),
    "an offset that drifts": (0.3 * TIME_S).astype(np.float32),
    "an offset that jumps": stepped(silent()),
    "dither": (RNG.integers(-2, 3, 2 * S) / 32768).astype(np.float32),
    "a click": with_click(silent()),
    "10 ms of speech": voice(0.01),
    "60 ms of speech": voice(0.06),
}
HEARD = {
    "speech": voice(),
    "a tenth of a second": np.concatenate([silent(), voice(0.1), silent()]),
    "faint speech": voice(level=0.0001),
    "hum": (0.01 * np.sin(2 * np.pi * 50 * TIME_S)).astype(np.float32),
}


def check(sound: Samples, block: int) -> SoundCheck:
    made = SoundCheck()
    for start in range(0, len(sound), block):
        made.add(sound[start : start + block])
    made.end()
    return made


@pytest.mark.parametrize("block", [97, VAD_FRAME_SAMPLES, 20 * S])
@pytest.mark.parametrize("name", [*EMPTY, *HEARD])
def test_what_can_be_no_word_has_no_level(name: str, block: int) -> None:
    sound = (EMPTY | HEARD)[name]
    assert check(sound, block).is_empty(0, len(sound)) == (name in EMPTY)


def test_a_part_is_judged_by_itself() -> None:
    made = check(np.concatenate([silent(), voice(), silent()]), 1000)
    parts = [(0, 2 * S), (2 * S, 4 * S), (S, 3 * S), (5 * S, 6 * S)]
    assert [made.is_empty(*part) for part in parts] == [True, False, False, True]


NOISE = np.convolve(RNG.normal(size=20 * S), np.exp(-np.arange(64) / 16)).astype(np.float32)


class Loud:
    """A detector that hears speech in frames louder than 0.5."""

    def __init__(self) -> None:
        self._rest = np.empty(0, np.float32)

    def feed(self, samples: Samples) -> np.ndarray:
        rest = np.concatenate((self._rest, samples))
        whole = len(rest) // VAD_FRAME_SAMPLES * VAD_FRAME_SAMPLES
        self._rest = rest[whole:]
        frames = rest[:whole].reshape(-1, VAD_FRAME_SAMPLES)
        loud: np.ndarray = np.abs(frames).max(axis=1, initial=0) > 0.5
        return loud.astype(np.float32)

    def flush(self) -> np.ndarray:
        return self.feed(np.zeros(-len(self._rest) % VAD_FRAME_SAMPLES, np.float32))


def run(
    long_form: LongForm, sound: Samples, hear: Sequence[Hypothesis]
) -> tuple[list[Window], Transcript]:
    """The windows that were run, in order, and the transcript."""
    answers, ran = iter(hear), list[Window]()
    todo = [*long_form.feed(sound), *long_form.flush()]
    while todo:
        ran.append(todo.pop(0))
        todo = long_form.add_result(ran[-1], next(answers)) + todo
    assert long_form.finished
    return ran, long_form.close()


def chunked(detector: type[Loud] | None, decoding: DecodingSettings) -> LongForm:
    inner = ChunkedStrategy(LongFormSettings(), decoding, NUMBERS, HallucinationSettings())
    return SoundlessStrategy(inner, detector, of_features=False).open(CLIP)


def test_windows_without_sound_are_not_run() -> None:
    sound = np.concatenate([silent(70), voice(20), silent(60)])
    said = make_hypothesis(timestamp_token(0), 7, timestamp_token(2), language="ru", sure=0.9)
    ran, transcript = run(chunked(None, DecodingSettings(timestamps=True)), sound, [said] * 3)
    assert [window.start_s for window in ran] == [60.0, 80.0]
    assert {each.reason for each in transcript.dropped} == {"no speech"}
    assert (transcript.language, transcript.language_probability) == ("ru", 0.9)


@pytest.mark.parametrize("level", [0.0, 0.03])
def test_a_detector_that_hears_nothing_spares_the_model(level: float) -> None:
    sound = np.concatenate([voice(40, level), with_click(voice(30, 0.03), 9000)])
    ran, transcript = run(chunked(Loud, DecodingSettings()), sound, [make_hypothesis(7)] * 2)
    assert [window.start_s for window in ran] == [20.0, 40.0]
    ran, transcript = run(chunked(Loud, DecodingSettings()), voice(40, level), [])
    assert (ran, transcript.text, transcript.language) == ([], "", None)


def test_the_language_of_all_is_that_of_the_first_window_with_sound() -> None:
    sound = np.concatenate([silent(70), voice(60)])
    once = DecodingSettings(multilingual=False)
    heard = [make_hypothesis(7, language="ru", sure=0.9)] * 3
    ran, transcript = run(chunked(None, once), sound, heard)
    assert [window.decoding.language for window in ran] == [None, "ru", "ru"]
    assert transcript.language == "ru"
    ran, _ = run(chunked(None, once), silent(70), [])
    assert ran == []


class Powers:
    """Log-mel frames of which nothing matters but their number."""

    def __init__(self) -> None:
        self._samples = 0

    def feed(self, samples: Samples) -> np.ndarray:
        self._samples += len(samples)
        return np.zeros((80, len(samples) // 160), np.float32)

    def flush(self) -> np.ndarray:
        return np.zeros((80, 0), np.float32)


@pytest.mark.parametrize("thresholds", [HallucinationSettings(), HallucinationSettings(None, None)])
def test_a_recording_that_is_sought_through_skips_silence(
    thresholds: HallucinationSettings,
) -> None:
    from quest22.longform.sequential import SequentialStrategy

    settings = LongFormSettings(long_form="sequential")
    frames: type[FrameStream] = Powers
    inner = SequentialStrategy(
        settings, DecodingSettings(timestamps=True), NUMBERS, thresholds, frames
    )
    sound = np.concatenate([silent(70), voice(30), silent(40)])
    said = make_hypothesis(timestamp_token(12), 7, timestamp_token(20), language="ru", sure=0.9)
    detector: type[SpeechProbabilities] = Loud
    long_form = SoundlessStrategy(inner, None, of_features=True).open(CLIP)
    ran, transcript = run(long_form, sound, [said, said])
    assert [(window.start_s, window.decoding.language) for window in ran] == [
        (60.0, None),
        (90.0, "ru"),
    ]
    assert (transcript.text, transcript.language) == ("7 7", "ru")
    ran, transcript = run(
        SoundlessStrategy(inner, detector, of_features=True).open(CLIP),
        sound * np.float32(0.1),
        [],
    )
    assert (ran, transcript.text) == ([], "")


@pytest.mark.skipif(not NANO_IS_HERE, reason="no embedded checkpoint or no sample recordings")
@pytest.mark.parametrize("peak", [0.9, 0.01, 0.0005])
def test_faint_speech_is_heard_and_noise_is_not(peak: float) -> None:
    model = SileroModel()
    for spoken in recordings("en", 3):
        sounds = {"speech": spoken, "noise": NOISE, "hum": HEARD["hum"]}
        empty = {}
        for name, sound in sounds.items():
            check = SoundCheck(model.open())
            check.add((sound * np.float32(peak / np.abs(sound).max())).astype(np.float32))
            check.end()
            empty[name] = check.is_empty(0, len(sound))
        assert empty == {"speech": False, "noise": True, "hum": True}
