"""How many words of a growing hypothesis are certain enough to stay.

AlignAtt (Papi et al., 2023): a word may stay when the model attends to sound well before the end
of what it has heard. Here by hindsight: the hypothesis is decoded to its end, then aligned. Local
agreement (Liu et al., 2020; Macháček et al., 2023): a word may stay when two steps in a row give
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quest22.longform.live.words import HeardWord
from quest22.settings.live import PolicyName

STALLED_STEPS = 3
"""After more steps without a committed word, what two steps agree on is committed."""

SURE, UNSURE_S = 0.7, 0.5

LITTLE_S = 2.0
"""In so much sound after a pause the model has little to go by: there unsure words wait twice as
long."""


@dataclass(frozen=True, slots=True)
class CommitPolicy:
    """Which words may stay; see :class:`quest22.settings.live.LiveSettings`.

    Words less probable than ``sure`` are held back ``unsure_s`` longer: more sound often changes
    them. So are words before such a word: where the model does not know how to go on, it has often
    taken a wrong turn just before ("Unabhängigkeit zur" for "Unabhängigkeitserklärung").
    """

    name: PolicyName
    hold_back_s: float
    sure: float = SURE
    unsure_s: float = UNSURE_S

    def count(
        self,
        words: Sequence[HeardWord],
        earlier: Sequence[HeardWord],
        heard_s: float,
        sound_s: float,
        idle_steps: int,
    ) -> int:
        """How many of the first ``words``, heard until ``heard_s``, are committed now; never all.

        ``sound_s`` is how much sound the segment has so far.
        ``earlier`` are those of the step before, from the same place on; ``idle_steps`` is how many
        steps have gone by without a committed word.
        """
        behind = max(len(words) - 1, 0)  # the last word may be half of one, and its mark a guess
        agreed = min(_agreed(words, earlier), behind)
        if self.name == "local-agreement" or idle_steps > STALLED_STEPS:
            return agreed
        attended = min(self._attended(words, heard_s, sound_s), behind)
        return attended if self.name == "alignatt" else min(agreed, attended)

    def must_check(self, words: Sequence[HeardWord], heard_s: float, sound_s: float) -> bool:
        """Whether a window until ``heard_s`` will commit improbable words, if they still stand."""
        until_s = heard_s - self.hold_back_s - self._unsure_s(sound_s)
        return any(
            word.end_s <= until_s and not certain
            for word, certain in zip(words, self._certain(words), strict=True)
        )

    def _attended(self, words: Sequence[HeardWord], heard_s: float, sound_s: float) -> int:
        until_s = heard_s - self.hold_back_s
        wait_s = self._unsure_s(sound_s)
        for count, (word, certain) in enumerate(zip(words, self._certain(words), strict=True)):
            if word.end_s > (until_s if certain else until_s - wait_s):
                return count
        return len(words)

    def _certain(self, words: Sequence[HeardWord]) -> list[bool]:
        """Whether each word is probable, and the one after it."""
        probable = [word.probability >= self.sure for word in words]
        return [all(probable[at : at + 2]) for at in range(len(words))]

    def _unsure_s(self, sound_s: float) -> float:
        """How much longer unsure words wait."""
        return self.unsure_s if sound_s >= LITTLE_S else 2 * self.unsure_s


def _agreed(words: Sequence[HeardWord], earlier: Sequence[HeardWord]) -> int:
    """How many first words are the same in both, whatever their marks."""
    count = 0
    for word, before in zip(words, earlier, strict=False):
        if word.spelling != before.spelling:
            break
        count += 1
    return count
