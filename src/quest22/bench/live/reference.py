"""What is played: sound, and the words said in it with the times at which each had been said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from quest22.records import SAMPLE_RATE_HZ, Samples


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word and when it had been said, in seconds of the sound; None: not known.

    ``utterance`` counts what is said between two pauses.
    """

    text: str
    end_s: float | None
    utterance: int


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound to play, mono float32 at 16 kHz, and what is said in it, in order.

    ``ends`` says where the times of the words come from. ``words`` is empty where nobody speaks.
    """

    name: str
    samples: Samples
    words: tuple[SpokenWord, ...]
    ends: str
    language: str | None = "en"

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    def repeated(self, seconds: float) -> Sound:
        """As often as fits into so many seconds, at least once."""
        times = max(1, int(seconds / self.duration_s))
        return joined(self.name, [self] * times) if times > 1 else self

    def rotated(self, share: float) -> Sound:
        """Begun in the pause after this share of the utterances; the others come at the end.

        Sessions that play at once then say different things.
        """
        ends = self._utterance_ends()
        number = int(share * len(ends))
        if not 0 < number < len(ends):
            return self
        cut_s = ends[number - 1] + PAUSE_KEPT_S
        parts = [self._part(cut_s, self.duration_s), self._part(0.0, cut_s)]
        return joined(self.name, parts)

    def _utterance_ends(self) -> list[float]:
        ends: dict[int, float] = {}
        for word in self.words:
            ends[word.utterance] = word.end_s if word.end_s is not None else np.nan
        return [end for end in ends.values() if not np.isnan(end)]

    def _part(self, start_s: float, end_s: float) -> Sound:
        """Between two times that lie in pauses."""
        at = slice(round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ))
        inside = tuple(
            replace(word, end_s=None if word.end_s is None else word.end_s - start_s)
            for word, time_s in zip(self.words, times_of(self.words), strict=True)
            if start_s < time_s <= end_s
        )
        return replace(self, samples=self.samples[at], words=inside)


PAUSE_KEPT_S = 0.3
"""So much of a pause stays with the utterance before it."""


def times_of(words: Sequence[SpokenWord]) -> list[float]:
    """The end of each word; for one without, that of the word before it."""
    times, latest_s = [], 0.0
    for word in words:
        latest_s = latest_s if word.end_s is None else max(latest_s, word.end_s)
        times.append(latest_s)
    return times


def joined(name: str, sounds: Sequence[Sound]) -> Sound:
    """Sounds one after another, as one."""
    samples: Samples = np.concatenate([sound.samples for sound in sounds])
    return Sound(name, samples, tuple(_moved(sounds)), sounds[0].ends, sounds[0].language)


def _moved(sounds: Sequence[Sound]) -> Iterator[SpokenWord]:
    start_s, first = 0.0, 0
    for sound in sounds:
        for word in sound.words:
            end_s = None if word.end_s is None else word.end_s + start_s
            yield SpokenWord(word.text, end_s, word.utterance + first)
        start_s += sound.duration_s
        first += 1 + max((word.utterance for word in sound.words), default=-1)
