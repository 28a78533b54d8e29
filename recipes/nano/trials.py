"""What nano is examined on: conditions, each a list of sounds with the truth about them.

Sentences are held out of training; the seeds are no seeds of training or of the sample dataset.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from recipes.nano.acoustics import RATE_HZ, coloured, hum, mixed, music, tones
from recipes.nano.config import Config
from recipes.nano.grammar.sentences import Sentence, held_out_sentences
from recipes.nano.narration import Casting, Narration, Scene, narrate
from recipes.nano.synthesis.spoken import Samples
from recipes.nano.synthesis.voices import Speaker, known_voice, unseen_voice

SEED = 40_487
PACKED_S = 29.5
LANGUAGES = ("en", "ru")
SNR_DB = 10.0


@dataclass(frozen=True, slots=True)
class Examiner:
    """Makes the trials; ``count`` is the number of single sentences a condition."""

    speaker: Speaker
    count: int

    @classmethod
    def of(cls, config: Config, count: int) -> Examiner:
        """With the recipe's voices."""
        return cls(Speaker(config.cache / "espeak", config.seed), count)

    def sentences(self, language: str, casting: Casting, salt: int = 0) -> list[Narration]:
        """Single held-out sentences with up to 0.9 s of silence before."""
        stream, rng = held_out_sentences(SEED + salt, language), random.Random(SEED + salt)
        trials = []
        for sentence in islice(stream, self.count):
            lead_s = rng.choice([0.0, 0.0, 0.2, rng.uniform(0, 0.9)])
            scene = Scene(language, casting, lead_s=lead_s)
            trials.append(narrate(self.speaker, [sentence], scene, rng))
        return trials

    def known(self, language: str) -> list[Narration]:
        """Voices of training."""
        return self.sentences(language, known_voice)

    def unseen(self, language: str) -> list[Narration]:
        """Voices that training never hears."""
        return self.sentences(language, unseen_voice, 1)

    def noisy(self, language: str, kind: str) -> list[Narration]:
        """Known voices at 10 dB of one kind of noise."""
        clean = self.sentences(language, known_voice, 2)
        maker = self._noise_maker(kind, clean)
        return [
            replace(one, samples=mixed(one.samples, maker(len(one.samples) / RATE_HZ), SNR_DB))
            for one in clean
        ]

    def packed(self, language: str) -> list[Narration]:
        """Windows of about 30 s full of sentences, a tenth as many as single ones."""
        stream, rng = held_out_sentences(SEED + 3, language), random.Random(SEED + 3)
        return [self._pack(stream, language, rng) for _ in range(max(1, self.count // 10))]

    def nothing(self) -> dict[str, list[Samples]]:
        """Sounds without speech, 2 to 30 s long, at many levels."""
        rng = np.random.default_rng(SEED)
        makers: dict[str, Callable[[float], Samples]] = {
            "silence": lambda s: np.zeros(int(s * RATE_HZ), np.float32),
            "white noise": lambda s: coloured(s, 0.0, rng), "tones": lambda s: tones(s, rng),
            "pink noise": lambda s: coloured(s, 1.0, rng), "music": lambda s: music(s, rng),
            "brown noise": lambda s: coloured(s, 2.0, rng), "hum": lambda s: hum(s, rng),
        }  # fmt: skip
        count = max(1, self.count // 10)
        return {
            name: [
                maker(rng.uniform(2, 30)) * np.float32(10 ** rng.uniform(-2, 0.5))
                for _ in range(count)
            ]
            for name, maker in makers.items()
        }

    def _pack(self, stream: Iterator[Sentence], language: str, rng: random.Random) -> Narration:
        scene = Scene(language, known_voice, rng.choice([1, 2, 3]), gap_s=(0.1, 0.9))
        whole = narrate(self.speaker, list(islice(stream, 22)), scene, rng)
        kept = tuple(one for one in whole.said if one.end_s < PACKED_S)
        end = int((kept[-1].end_s + 0.1) * RATE_HZ)
        return Narration(whole.samples[:end], kept, language)

    def _noise_maker(self, kind: str, clean: list[Narration]) -> Callable[[float], Samples]:
        rng = np.random.default_rng(SEED)
        if kind != "babble":
            slope = {"white": 0.0, "pink": 1.0}[kind]
            return lambda seconds: coloured(seconds, slope, rng)

        def babble(seconds: float) -> Samples:
            chosen = [clean[index] for index in rng.integers(len(clean), size=8)]
            voices = [np.resize(one.samples, int(seconds * RATE_HZ) + 1) for one in chosen]
            rolled = [np.roll(voice, rng.integers(len(voice))) for voice in voices]
            return np.asarray(np.sum(rolled, axis=0), np.float32)

        return babble
