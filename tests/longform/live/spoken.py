"""Sessions without sound: what is said is told, and models hear it as Whisper would.

A sample tells where it stands, so that a model knows which words a window has. Numbers are words.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from quest22.longform.live.build import build_strategy
from quest22.longform.live.clip import LiveClip
from quest22.records import (
    SAMPLE_RATE_HZ,
    VAD_FRAME_SAMPLES,
    Alignment,
    Hypothesis,
    LiveEvent,
    Samples,
    Transcript,
    Window,
)
from quest22.settings.clip_options import ClipSettings
from quest22.settings.live import LiveSettings
from tests.longform.pauses.scripted import Told
from tests.support.fake_whisper import CLIP, NUMBERS, Numbers

FRAME_S = VAD_FRAME_SAMPLES / SAMPLE_RATE_HZ
Model = Callable[[Window], Hypothesis]


@dataclass(frozen=True, slots=True)
class Said:
    """A word and its times in seconds."""

    token: int
    start_s: float
    end_s: float


def talk(*pauses_s: float, words: int = 5, word_s: float = 0.4) -> list[Said]:
    """So many words after each of the pauses."""
    said: list[Said] = []
    at = 0.0
    for pause_s in pauses_s:
        at += pause_s
        for _ in range(words):
            said.append(Said(len(said), at, at + word_s))
            at += word_s
    return said


def loudness(said: Sequence[Said], until_s: float) -> np.ndarray:
    """Certain speech where words are, none elsewhere: a probability for each frame."""
    middles_s = (np.arange(int(until_s / FRAME_S) + 2) + 0.5) * FRAME_S
    spoken = [(word.start_s <= middles_s) & (middles_s < word.end_s) for word in said]
    return np.any([np.zeros(len(middles_s), bool), *spoken], axis=0).astype(np.float32)


def sound(duration_s: float) -> Samples:
    """Samples that tell where they stand, in steps that float32 can tell apart."""
    return np.arange(round(duration_s * SAMPLE_RATE_HZ), dtype=np.float32)


@dataclass(slots=True)
class Listener:
    """Hears the words of a window; the last one wrongly if the window's sound ends within it.

    ``mishears`` is the chance that any other word is heard wrongly, too; ``sure`` is how probable
    it says that words are.
    """

    said: Sequence[Said]
    mishears: float = 0.0
    sure: float = 0.9
    language: str = "en"
    seed: int = 0
    windows: list[Window] = field(default_factory=list)

    def __call__(self, window: Window) -> Hypothesis:
        self.windows.append(window)
        start_s = float(window.samples[0]) / SAMPLE_RATE_HZ
        end_s = start_s + window.duration_s
        chance = random.Random(f"{self.seed} {window.index} {start_s} {end_s}")
        tokens, bounds = [], [0.0]
        for word in self.said:
            if word.end_s <= start_s + 0.1 or word.start_s >= end_s - 0.1:
                continue
            known = word.end_s <= end_s and chance.random() >= self.mishears
            tokens.append(word.token if known else 500 + word.token)
            bounds.append(min(word.end_s, end_s) - start_s)
        skip = min(len(window.decoding.prefix), len(tokens))
        return Hypothesis(
            tuple(tokens[skip:]),
            self.language,
            1.0,
            avg_logprob=-0.2,
            no_speech_prob=0.1,
            alignment=Alignment(tuple(bounds[skip:]), (self.sure,) * (len(tokens) - skip)),
        )


@dataclass(slots=True)
class Session:
    """A session whose windows run at once; ``events`` are all so far."""

    clip: LiveClip
    model: Model
    events: list[LiveEvent] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)

    def feed(self, samples: Samples, *, previews: bool = True) -> None:
        """Feed a block, run what is due, then a preview if there is one."""
        self._run(self.clip.feed(samples))
        if previews and (window := self.clip.preview()) is not None:
            self._run([window])

    def end(self) -> Transcript:
        """End the session."""
        self._run(self.clip.flush())
        assert self.clip.finished
        return self.clip.close()

    def _run(self, windows: list[Window]) -> None:
        self.events += self.clip.take_events()
        while windows:
            (window,) = windows
            self.windows.append(window)
            windows = self.clip.add_result(window, self.model(window))
            self.events += self.clip.take_events()

    @property
    def finals(self) -> list[LiveEvent]:
        return [each for each in self.events if each.type == "final"]


def opened(
    probabilities: np.ndarray,
    live: LiveSettings | None = None,
    settings: ClipSettings | None = None,
    language: str | None = "en",
    vocabulary: Numbers = NUMBERS,
) -> LiveClip:
    """A session whose voice detector tells these probabilities."""
    settings = settings or ClipSettings()
    settings = replace(settings, decoding=replace(settings.decoding, language=language))
    strategy = build_strategy(
        settings,
        live or LiveSettings(),
        vocabulary,
        lambda: Told(probabilities),
        is_multilingual=True,
    )
    return strategy.open(CLIP)


def run(
    said: Sequence[Said],
    *,
    live: LiveSettings | None = None,
    block_s: float = 0.1,
    until_s: float | None = None,
    model: Model | None = None,
    previews: bool = True,
) -> tuple[Session, Transcript]:
    """A whole session, fed in blocks."""
    until_s = (said[-1].end_s if said else 0.0) + 1.0 if until_s is None else until_s
    session = Session(opened(loudness(said, until_s), live), model or Listener(said))
    samples, block = sound(until_s), round(block_s * SAMPLE_RATE_HZ)
    for start in range(0, len(samples), block):
        session.feed(samples[start : start + block], previews=previews)
    return session, session.end()
