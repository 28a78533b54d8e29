"""Clips without sound whose speech is told frame by frame, and models that answer by a script."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from quest22.longform.pauses.build import build_strategy
from quest22.longform.pauses.clip import PausesClip
from quest22.longform.pauses.cutting import FRAME_S, Probabilities
from quest22.longform.pauses.procedures import Procedure, Result
from quest22.records import (
    SAMPLE_RATE_HZ,
    VAD_FRAME_SAMPLES,
    Alignment,
    Clip,
    Hypothesis,
    Samples,
    Transcript,
    Window,
)
from quest22.settings.clip_options import ClipSettings
from tests.support.fake_whisper import CLIP, NUMBERS, timestamp_token

Model = Callable[[Window], Hypothesis]


class Characters:
    """A vocabulary whose tokens are the characters themselves."""

    timestamp_begin = 0x200000
    eot = 0x110000

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))

    def encode(self, text: str) -> list[int]:
        return list(map(ord, text))


CHARACTERS = Characters()


def said(text: str, language: str | None = "en", logprob: float = -0.2) -> Hypothesis:
    """A hypothesis with this text, in the tokens of ``CHARACTERS``."""
    return Hypothesis(tuple(CHARACTERS.encode(text)), language, 1.0, logprob, 0.1)


class Told:
    """Speech probabilities that are told beforehand, one for each frame; 0 after the last."""

    def __init__(self, probabilities: Probabilities) -> None:
        self._told = probabilities
        self._samples = self._frames = 0

    def feed(self, samples: Samples) -> Probabilities:
        self._samples += len(samples)
        return self._up_to(self._samples // VAD_FRAME_SAMPLES)

    def flush(self) -> Probabilities:
        return self._up_to(-(-self._samples // VAD_FRAME_SAMPLES))

    def _up_to(self, stop: int) -> Probabilities:
        start, self._frames = self._frames, stop
        told = self._told[start:stop]
        return np.pad(told, (0, stop - start - len(told))).astype(np.float32)


def speech(*spans: tuple[float, float], until_s: float) -> Probabilities:
    """Certain speech in these spans, in seconds, and none elsewhere."""
    times_s = np.arange(int(until_s / FRAME_S) + 2) * FRAME_S
    within = [(start_s <= times_s) & (times_s < end_s) for start_s, end_s in spans]
    return np.any([np.zeros(len(times_s), bool), *within], axis=0).astype(np.float32)


def opened(
    probabilities: Probabilities,
    settings: ClipSettings | None = None,
    clip: Clip = CLIP,
    *,
    is_multilingual: bool = True,
) -> PausesClip:
    strategy = build_strategy(
        settings or ClipSettings(),
        NUMBERS,
        lambda: Told(probabilities),
        is_multilingual=is_multilingual,
    )
    return strategy.open(clip)


def run(long_form: PausesClip, samples: Samples, model: Model) -> tuple[list[Window], Transcript]:
    """All windows in the order in which they run, each as soon as it can, and the transcript."""
    todo = long_form.feed(samples) + long_form.flush()
    windows = []
    while todo:
        windows.append(todo.pop(0))
        todo += long_form.add_result(windows[-1], model(windows[-1]))
    assert long_form.finished
    return windows, long_form.close()


def run_in_any_order(
    long_form: PausesClip, samples: Samples, model: Model, chance: random.Random
) -> Transcript:
    """Blocks of random sizes come between results in random order."""
    waiting: list[Window] = []
    while long_form.wants_audio or waiting:
        if waiting and (not long_form.wants_audio or chance.random() < 0.6):
            window = waiting.pop(chance.randrange(len(waiting)))
            waiting += long_form.add_result(window, model(window))
        elif len(samples):
            size = chance.choice([1, 700, 20_000, 300_000])
            waiting += long_form.feed(samples[:size])
            samples = samples[size:]
        else:
            waiting += long_form.flush()
    assert long_form.finished
    return long_form.close()


def drive(procedure: Procedure[Result], answer: Model) -> tuple[list[list[Window]], Result]:
    """Run a procedure to its end: the windows of each round, and its result."""
    rounds: list[list[Window]] = []
    try:
        windows = next(procedure)
        while True:
            rounds.append(windows)
            windows = procedure.send([answer(window) for window in windows])
    except StopIteration as end:
        return rounds, end.value


def each_in_turn(hypotheses: Iterable[Hypothesis]) -> Model:
    """A model that gives these hypotheses one after the other, whatever it hears."""
    answers = iter(hypotheses)
    return lambda _window: next(answers)


@dataclass(frozen=True)
class Erratic:
    """A model that hears a word every half second, with most of the mistakes a model makes.

    It works on :func:`sound`, whose samples tell their places, and depends on nothing but the
    samples and the options of a window.
    """

    seed: int
    mistakes: float = 0.3
    languages: tuple[str, ...] = ("en", "de", "ja")

    def __call__(self, window: Window) -> Hypothesis:
        chance = self._chance(window)
        times, words = self._words(window, chance)
        tokens = tuple(self._tokens(window, times, words, chance))
        hypothesis = self._detected(window, chance, tokens)
        if window.decoding.words:
            bounds = [*times, max([window.duration_s, *times])]
            alignment = Alignment(tuple(bounds), (0.5,) * len(words))
            hypothesis = replace(hypothesis, alignment=alignment)
        return hypothesis

    def _chance(self, window: Window) -> random.Random:
        samples, decoding = window.samples, window.decoding
        search = decoding.search
        asked = (decoding.language, decoding.timestamps, decoding.temperature, search.beam_size)
        heard = (samples[0], len(samples), decoding.prefix)
        return random.Random(f"{self.seed} {heard} {asked} {search.greedy_logprob}")

    def _words(self, window: Window, chance: random.Random) -> tuple[list[float], list[int]]:
        """Words whose places lie in the window, or a loop of them."""
        places = np.round(window.samples[:: SAMPLE_RATE_HZ // 50]) / SAMPLE_RATE_HZ
        halves = np.floor(places * 2).astype(int)
        starts = [0, *(np.flatnonzero(np.diff(halves)) + 1)]
        heard = [(float(at) / 50, int(halves[at]) % 800) for at in starts]
        if chance.random() < self.mistakes:
            heard = heard[: chance.randrange(len(heard) + 1)]
        if heard and chance.random() < self.mistakes / 3:
            heard = [(time_s, heard[0][1]) for time_s, _ in heard]
        return [time_s for time_s, _ in heard], [word for _, word in heard]

    def _tokens(
        self, window: Window, times: Sequence[float], words: Sequence[int], chance: random.Random
    ) -> Iterable[int]:
        if not window.decoding.timestamps:
            yield from words
            return
        for time_s, word in zip(times, words, strict=True):
            if chance.random() < 0.4:
                yield from [timestamp_token(time_s)] * chance.choice([1, 2])
            yield word
        if words and chance.random() < 0.5:
            yield timestamp_token(window.duration_s + chance.random())

    def _detected(
        self, window: Window, chance: random.Random, tokens: tuple[int, ...]
    ) -> Hypothesis:
        shares = sorted((chance.random() ** 3 for _ in self.languages), reverse=True)
        top = tuple(
            (code, share / sum(shares))
            for code, share in zip(chance.sample(self.languages, len(shares)), shares, strict=True)
        )
        given = window.decoding.language
        language, probability = (given, 1.0) if given or not top else top[0]
        return Hypothesis(
            tokens=tokens,
            language=language,
            language_probability=probability,
            avg_logprob=chance.choice([-0.1, -0.3, -0.8, -1.2]),
            no_speech_prob=chance.choice([0.1, 0.1, 0.9]),
            temperature=window.decoding.temperature,
            languages=() if given else top,
        )
