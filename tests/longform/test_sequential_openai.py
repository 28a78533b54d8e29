"""The sequential long form beside openai/whisper's ``transcribe``, both over one scripted model.

What the model hears is a function of how often it was asked, at which temperature, and after
which prompt: so the two go the same way only as long as they ask the same.
"""

from __future__ import annotations

import random
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from quest22.checkpoint.load import load
from quest22.checkpoint.tokens import Tokens
from quest22.longform.sequential import SequentialStrategy
from quest22.records import Hypothesis, Samples, Transcript, Window
from quest22.settings import DecodingSettings, HallucinationSettings, LongFormSettings
from tests.support.fake_whisper import CLIP

pytestmark = [pytest.mark.reference, pytest.mark.slow]

WORDS = (" the", " cook", " sang", " in", " Oslo", ".", " no", " no")


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return load("nano").tokens


@dataclass
class Script:
    """A model without a network; ``asked`` counts what it was asked."""

    tokens: Tokens
    seed: int
    asked: int = 0

    def hear(self, temperature: float, prompt: tuple[int, ...]) -> tuple[list[int], float, float]:
        """Tokens, average log-probability and no-speech probability."""
        chance = random.Random(f"{self.seed} {self.asked} {temperature} {prompt[-223:]}")
        self.asked += 1
        sure = chance.choice([-0.2, -0.2, -0.2, -1.7])
        return self._speak(chance), sure, chance.choice([0.01, 0.01, 0.9])

    def _speak(self, chance: random.Random) -> list[int]:
        begin, time = self.tokens.timestamp_begin, chance.randint(0, 50)
        spoken = [begin + time]
        for _ in range(chance.randint(0, 5)):
            count = chance.choice([1, 2, 4, 40])
            for _ in range(count):
                spoken += self.tokens.encode(chance.choice(WORDS))
            time = min(time + chance.randint(1, 500), 1500)
            spoken += [begin + time] * chance.choice([0, 2, 2, 2])
            if spoken[-1] < begin:
                spoken.append(begin + time)
                break
        if chance.random() < 0.3:
            spoken += self.tokens.encode(" and so")
        return spoken


class Silence:
    """Frames of nothing, as many as there is sound for."""

    def __init__(self) -> None:
        self._samples = 0

    def feed(self, samples: Samples) -> np.ndarray:
        before, self._samples = self._samples, self._samples + len(samples)
        return np.zeros((80, self._samples // 160 - before // 160), np.float32)

    def flush(self) -> np.ndarray:
        return np.zeros((80, 0), np.float32)


def ours(script: Script, samples: Samples, options: dict[str, Any]) -> Transcript:
    thresholds = HallucinationSettings(
        options.get("compression_ratio_threshold", 2.4),
        options.get("logprob_threshold", -1.0),
        options.get("no_speech_threshold", 0.6),
        None,
        None,
        None,
    )
    names = ("initial_prompt", "carry_initial_prompt", "condition_on_previous_text")
    asked = DecodingSettings(
        "en",
        timestamps=True,
        temperature=options.get("temperature"),
        **{name: options[name] for name in names if name in options},
    )
    settings = LongFormSettings(
        long_form="sequential", clip_timestamps=tuple(options.get("clip_timestamps", ()))
    )
    long_form = SequentialStrategy(settings, asked, script.tokens, thresholds, Silence).open(CLIP)
    todo: list[Window] = []
    for block in np.array_split(samples, 7):
        todo += long_form.feed(block)
    todo += long_form.flush()
    while todo:
        window = todo.pop()
        temperature = window.decoding.temperature
        spoken, sure, silent = script.hear(temperature, window.decoding.previous)
        heard = Hypothesis(tuple(spoken), "en", 1.0, sure, silent, temperature)
        todo += long_form.add_result(window, heard)
    assert long_form.finished
    return long_form.close()


def theirs(script: Script, samples: Samples, options: dict[str, Any]) -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    whisper = pytest.importorskip("whisper")
    from whisper.decoding import DecodingResult
    from whisper.model import ModelDimensions
    from whisper.tokenizer import get_tokenizer
    from whisper.transcribe import transcribe
    from whisper.utils import compression_ratio

    assert whisper
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it leaves its file open
        tokenizer = get_tokenizer(True, num_languages=99, language="en", task="transcribe")

    class Model:
        device = torch.device("cpu")
        dims = ModelDimensions(80, 1500, 8, 1, 1, 51865, 448, 8, 1, 1)
        is_multilingual, num_languages = True, 99

        def decode(self, _mel: Any, asked: Any) -> Any:
            prompt = tuple(asked.prompt or ())
            spoken, sure, silent = script.hear(asked.temperature, prompt)
            text = tokenizer.decode(spoken).strip()
            return DecodingResult(
                audio_features=None,
                language="en",
                tokens=spoken,
                text=text,
                avg_logprob=sure,
                no_speech_prob=silent,
                temperature=asked.temperature,
                compression_ratio=compression_ratio(text),
            )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        heard: dict[str, Any] = transcribe(Model(), samples, language="en", fp16=False, **options)
    return heard


Options = dict[str, Any]

OPTIONS: list[Options] = [
    {},
    {"temperature": (0.0,)},
    {"temperature": (0.0, 0.4, 0.8), "logprob_threshold": None},
    {"condition_on_previous_text": False},
    {"initial_prompt": "Words of a song", "temperature": (0.0,)},
    {"initial_prompt": "Words of a song", "carry_initial_prompt": True},
    {"clip_timestamps": [10.0, 25.0, 40.0, 90.0]},
    {"clip_timestamps": [3.3]},
    {"no_speech_threshold": None},
    {"compression_ratio_threshold": None, "temperature": (0.2, 0.6)},
]


CASES = [(options, 133.333) for options in OPTIONS] + [({}, 7.0), ({}, 30.0), ({}, 0.2)]


@pytest.mark.parametrize(("options", "duration_s"), CASES)
def test_text_and_segments_equal_the_reference(
    tokens: Tokens, options: Options, duration_s: float
) -> None:
    samples = np.zeros(round(duration_s * 16_000), np.float32)
    for seed in range(8):
        scripts = Script(tokens, seed), Script(tokens, seed)
        found, expected = ours(scripts[0], samples, options), theirs(scripts[1], samples, options)
        assert scripts[0].asked == scripts[1].asked
        assert found.text == expected["text"].strip()
        spoken = [each for each in expected["segments"] if each["text"].strip()]
        assert len(found.segments) == len(spoken)
        for segment, reference in zip(found.segments, spoken, strict=True):
            assert segment.text == reference["text"]
            assert list(segment.tokens) == reference["tokens"]
            times = [min(reference[name], found.duration_s) for name in ("start", "end")]
            assert [segment.start_s, segment.end_s] == pytest.approx(times, abs=0.011)
            for name in ("temperature", "avg_logprob", "no_speech_prob", "compression_ratio"):
                assert getattr(segment, name) == pytest.approx(reference[name])
