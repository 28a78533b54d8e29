"""Held-out sentences said one after another, with the truth of when each was said."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recipes.nano.acoustics import RATE_HZ
from recipes.nano.corpus import trimmed
from recipes.nano.grammar.sentences import Sentence
from recipes.nano.synthesis.spoken import Samples
from recipes.nano.synthesis.voices import Manner, Speaker, Voice, usual

Casting = Callable[[str, random.Random], Voice]
PEAK = 0.5


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence in a narration; times in seconds from the narration's start."""

    text: str
    translation: str
    voice: str
    start_s: float
    end_s: float
    word_starts_s: tuple[float, ...]
    marked: bool


@dataclass(frozen=True, slots=True)
class Narration:
    """Sound at 16 kHz and what is said in it."""

    samples: Samples
    said: tuple[Said, ...]
    language: str

    @property
    def text(self) -> str:
        """All that is said."""
        return " ".join(one.text for one in self.said)

    @property
    def translation(self) -> str:
        """All that is said, in English."""
        return " ".join(one.translation for one in self.said)


@dataclass(frozen=True, slots=True)
class Scene:
    """Who speaks: voices drawn by ``casting``, so many of them, with gaps between sentences."""

    language: str
    casting: Casting
    speakers: int = 1
    gap_s: tuple[float, float] = (0.25, 0.9)
    lead_s: float = 0.0


def narrate(
    speaker: Speaker, sentences: Sequence[Sentence], scene: Scene, rng: random.Random
) -> Narration:
    """Say ``sentences`` in turn."""
    language = scene.language
    parts: list[Samples] = [np.zeros(int(scene.lead_s * RATE_HZ), np.float32)]
    said: list[Said] = []
    cast = [(scene.casting(language, rng), usual(rng)) for _ in range(scene.speakers)]
    at = len(parts[0])
    for sentence in sentences:
        voice, manner = rng.choice(cast)
        text = getattr(sentence, language)
        sound, edges = _spoken(speaker, text, voice, manner)
        times = edges + at / RATE_HZ
        marked = len(edges) == len(text.split()) + 1
        said.append(
            Said(text, sentence.en, str(voice), float(times[0]), float(times[-1]),
                 tuple(float(time) for time in times[:-1]), marked)
        )  # fmt: skip
        gap = np.zeros(int(rng.uniform(*scene.gap_s) * RATE_HZ), np.float32)
        parts += [sound, gap]
        at += len(sound) + len(gap)
    return Narration(np.concatenate(parts[:-1]), tuple(said), language)


def _spoken(speaker: Speaker, text: str, voice: Voice, manner: Manner) -> tuple[Samples, Samples]:
    samples, edges = trimmed(speaker.say(text, voice, manner), manner)
    return samples * np.float32(PEAK / (np.abs(samples).max() + 1e-9)), edges
