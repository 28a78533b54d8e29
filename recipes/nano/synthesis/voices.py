"""Who speaks: the voices of training, those kept for evaluation, and one call to make any speak."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from recipes.nano.synthesis import flite
from recipes.nano.synthesis.espeak import Espeak, extended_data, variant_names
from recipes.nano.synthesis.spoken import Spoken

UNSEEN_VARIANTS = (
    "f4", "m6", "Michael", "steph2", "Andrea", "klatt2", "iven3", "antonio", "linda", "boris",
)  # fmt: skip
UNSEEN_FLITE = ("rms",)
UNNATURAL = (
    "whisper", "whisperf", "croak", "Demonic", "fast", "UniRobot", "anikaRobot", "Tweaky", "aunty",
    "robosoft", "robosoft2", "robosoft3", "robosoft4", "robosoft5", "robosoft6", "robosoft7",
    "robosoft8",
)  # fmt: skip
ACCENTS = {
    "en": ("en-us", "en-us", "en-us", "en-gb-x-rp", "en", "en-gb-scotland", "en-us-nyc"),
    "ru": ("ru",),
}
FLITE_SHARE = {"en": 0.22, "ru": 0.0}
FLITE_VOICES = {"slt": 0.22, "awb": 0.22, "kal16": 0.56}
RANDOM_VARIANTS = 60


@dataclass(frozen=True, slots=True)
class Voice:
    """A synthesiser and the name it has there."""

    engine: str
    name: str

    def __str__(self) -> str:
        return f"{self.engine}:{self.name}"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a sentence is said: words a minute, pitch and its range (0-99), and a pitch shift."""

    rate_wpm: int = 165
    pitch: int = 50
    spread: int = 50
    warp: float = 1.0


def known_voice(language: str, rng: random.Random) -> Voice:
    """A voice that training hears, in the proportions of training."""
    if rng.random() < FLITE_SHARE[language]:
        return Voice("flite", rng.choices(list(FLITE_VOICES), list(FLITE_VOICES.values()))[0])
    shipped = [v for v in variant_names() if v not in UNSEEN_VARIANTS + UNNATURAL]
    made = [f"r{index:02d}" for index in range(RANDOM_VARIANTS)]
    variant = rng.choice(shipped if rng.random() < 0.7 else made)
    return Voice("espeak", f"{rng.choice(ACCENTS[language])}+{variant}")


def unseen_voice(language: str, rng: random.Random) -> Voice:
    """A voice or variant that training never hears."""
    if language == "en" and rng.random() < 1 / (len(UNSEEN_VARIANTS) + 1):
        return Voice("flite", rng.choice(UNSEEN_FLITE))
    accent = rng.choice(ACCENTS[language])
    return Voice("espeak", f"{accent}+{rng.choice(UNSEEN_VARIANTS)}")


def lively(rng: random.Random) -> Manner:
    """The wide spread of manners that training hears."""
    return Manner(
        rate_wpm=rng.randrange(130, 212),
        pitch=rng.randrange(30, 72),
        spread=rng.randrange(30, 75),
        warp=min(1.15, max(0.88, rng.gauss(1.0, 0.05))),
    )


def usual(rng: random.Random) -> Manner:
    """The manners of everyday speech, for evaluation."""
    return Manner(rng.randrange(140, 200), rng.randrange(40, 61), rng.randrange(40, 61))


class Speaker:
    """Makes any voice speak; holds the espeak-ng library, so one a process."""

    def __init__(self, cache: Path, seed: int) -> None:
        self._espeak = Espeak(extended_data(cache, RANDOM_VARIANTS, seed))

    def say(self, text: str, voice: Voice, manner: Manner) -> Spoken:
        """Say one text; flite's voices have one manner."""
        if voice.engine == "flite":
            return flite.speak(text, voice.name)
        return self._espeak.speak(text, voice.name, manner.rate_wpm, manner.pitch, manner.spread)
