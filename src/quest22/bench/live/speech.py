"""Synthesised speech to play: sentences of our own in free voices, with exact ends of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import count

import numpy as np

from quest22.bench.live.reference import Sound, SpokenWord
from quest22.bench.live.voices import voice_named
from quest22.records import SAMPLE_RATE_HZ, Samples

DEFAULT_VOICES = ("flite:slt", "flite:rms", "espeak:en-us")
"""Those that Whisper's base understands best: 3 to 4 % of the words are wrong offline."""

LEVEL, NOISE_LEVEL = 0.07, 0.0002
"""Root mean square of each sentence, and of the noise of a quiet room under all."""

PAUSE_S = (0.6, 1.6)
"""The shortest and the longest pause between utterances."""

SHORT_PAUSE_S, SHORT_SHARE = 0.15, 0.25
"""So many sentences run on into the next, which is then the same utterance."""

_Random = np.random.Generator


def sentences() -> list[str]:
    """Plain English sentences, without numbers, names and contractions."""
    return files(__package__).joinpath("sentences.txt").read_text(encoding="utf-8").splitlines()


def synthesised(seconds: float, voices: Sequence[str] = DEFAULT_VOICES, seed: int = 22) -> Sound:
    """Utterances with pauses between them, of at least this duration.

    Sentences come in a random order, each as often as the others, and each voice says every one
    of them before it says one again. Raises :class:`quest22.errors.UsageError` without the
    voices' synthesisers.
    """
    random = np.random.default_rng(seed)
    parts = [_silence(PAUSE_S[0])]
    words: list[SpokenWord] = []
    start_s, utterance = PAUSE_S[0], 0
    for text, voice in _lines(voices, random):
        if start_s >= seconds:
            break
        spoken = voice_named(voice)(text)
        ends = [None if each is None else start_s + each for each in spoken.ends_s]
        for word, end_s in zip(text.split(), ends, strict=True):
            words.append(SpokenWord(word, end_s, utterance))
        runs_on = random.random() < SHORT_SHARE
        pause = _silence(SHORT_PAUSE_S if runs_on else random.uniform(*PAUSE_S))
        parts += [_at_level(spoken.samples), pause]
        start_s += (len(spoken.samples) + len(pause)) / SAMPLE_RATE_HZ
        utterance += not runs_on
    samples = np.concatenate([*parts, _silence(PAUSE_S[1])])
    samples += NOISE_LEVEL * random.standard_normal(len(samples), dtype=np.float32)
    about = f"exact, from the synthesisers ({', '.join(voices)})"
    return Sound("speech", samples, tuple(words), about)


def _lines(voices: Sequence[str], random: _Random) -> Iterator[tuple[str, str]]:
    """Sentences and who says them, without end."""
    texts = sentences()
    for turn in count():
        for place, number in enumerate(random.permutation(len(texts))):
            yield texts[number], voices[(turn + place) % len(voices)]


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)


def _at_level(samples: Samples) -> Samples:
    level = float(np.sqrt(np.mean(samples**2)))
    scaled: Samples = samples * np.float32(LEVEL / level)
    return scaled
