"""Speech without sound: words with times, and what a Whisper model would make of them.

``Numbers`` is a vocabulary whose words are their own numbers; it stands in for Transformers'
tokenizer too. ``FakeWhisper`` answers windows as a model does: with the words it hears in them,
misheard here and there, and with timestamps if asked for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from quest22.longform.chunked import ChunkedStrategy
from quest22.records import Clip, DecodingOptions, Hypothesis, Origin, Samples, Transcript, Window
from quest22.settings import DecodingSettings, HallucinationSettings, LongFormSettings

RATE = 16_000
CLIP = Clip("key", "name", b"", Origin("test"))


class Numbers:
    """Tokens 0…799 are words, 800…899 ends of words, 900…999 control, 1000…2500 timestamps."""

    eot = 900
    timestamp_begin = 1000
    all_special_ids = tuple(range(900, 1000))

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(f" {token}" if token < 800 else f"-{token}" for token in tokens)

    def encode(self, text: str) -> list[int]:
        return [int(word) for word in text.split()]

    def convert_tokens_to_ids(self, _token: str) -> int:
        return self.timestamp_begin - 1

    def _strip_prompt(self, tokens: list[int], _prompt: int, _start: int) -> list[int]:
        return tokens


NUMBERS = Numbers()
NO_HALLUCINATION_FILTER = HallucinationSettings(None, None, None, None, None, None)


def timestamp_token(time_s: float) -> int:
    """The timestamp token of a time in its window."""
    return NUMBERS.timestamp_begin + round(time_s * 50)


def make_hypothesis(*tokens: int, language: str | None = "en", sure: float = 1.0) -> Hypothesis:
    return Hypothesis(tokens, language, sure, avg_logprob=-0.25, no_speech_prob=0.125)


def sound(duration_s: float) -> Samples:
    """Samples that all differ from their neighbours: each tells where it stands."""
    return np.arange(round(duration_s * RATE), dtype=np.float32)


def transcribe(
    samples: Samples,
    listen: Callable[[Window], Hypothesis],
    *,
    timestamps: bool = False,
    settings: LongFormSettings | None = None,
) -> Transcript:
    """Run one clip through the strategy, window after window."""
    decoding = DecodingSettings(timestamps=timestamps)
    strategy = ChunkedStrategy(
        settings or LongFormSettings(), decoding, NUMBERS, NO_HALLUCINATION_FILTER
    )
    machine = strategy.open(CLIP)
    todo = machine.feed(samples) + machine.flush()
    while todo:
        window = todo.pop(0)
        todo = machine.add_result(window, listen(window)) + todo
    return machine.close()


@dataclass
class FakeWhisper:
    """A model that hears ``words`` (time in seconds and token) with mistakes.

    ``answers`` keeps what it said to each window, pass by pass.
    """

    words: Sequence[tuple[float, int]]
    seed: int = 0
    mistakes: float = 0.1
    breaks: float = 0.2
    answers: dict[int, list[tuple[int, ...]]] = field(default_factory=dict)

    def __call__(self, window: Window) -> Hypothesis:
        tokens = tuple(self._hear(window))
        self.answers.setdefault(window.index, []).append(tokens)
        return make_hypothesis(*tokens)

    def _hear(self, window: Window) -> list[int]:
        chance = random.Random(f"{self.seed} {window.index} {window.skip_frames}")
        begin_s = window.start_s + window.skip_frames / 100
        until_s = window.start_s + window.duration_s
        heard = [(at - begin_s, word) for at, word in self.words if begin_s <= at < until_s - 0.2]
        tokens = self._spoken(heard, window.decoding, chance)
        if tokens and window.decoding.timestamps and chance.random() < 0.5:
            tokens.append(timestamp_token(until_s - begin_s))
        return tokens

    def _spoken(
        self, heard: Sequence[tuple[float, int]], decoding: DecodingOptions, chance: random.Random
    ) -> list[int]:
        tokens = [timestamp_token(0)] if heard and decoding.timestamps else []
        for at, word in heard:
            if chance.random() < self.mistakes:
                tokens += chance.choice([[], [chance.randrange(900)]])
            else:
                tokens.append(word)
            if decoding.timestamps and chance.random() < self.breaks:
                tokens += [timestamp_token(at + 0.1)] * chance.choice([1, 2, 2])
        return tokens
