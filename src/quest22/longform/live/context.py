"""What a window gets of what was said before its uncertain words: sound with its words, or text.

Short utterances are heard better with what came before them. So a window begins some seconds before
the sound that is new, in the earlier words of its segment or of those before it, and these words
are its prefix. After a longer pause their text may be a prompt instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from quest22.longform.live.words import (
    HeardWord,
    last_mark,
    text_of,
    tokens_of,
    without_last_mark,
)

BEFORE_WORD_S = 0.2
"""Sound that a window has before its first word, unless another word is there."""

MOST_PREFIX = 120
"""Tokens of a prefix at most: the decoder needs room for more."""


@dataclass(frozen=True, slots=True)
class ContextRules:
    """How much of the past is used.

    Windows have ``window_s`` seconds of sound if there are words in it that are known; ``audio_s``
    of earlier segments, after a pause of at most ``pause_s``. ``prompt_letters`` letters of text
    are a prompt; nothing after ``forget_s`` of silence.
    """

    window_s: float = 12.0
    audio_s: float = 12.0
    pause_s: float = 2.0
    prompt_letters: int = 0
    forget_s: float = 10.0


class Span(NamedTuple):
    """Where a window begins, in seconds, and the words before the uncertain ones."""

    start_s: float
    known: Sequence[HeardWord]


@dataclass(frozen=True, slots=True)
class Context:
    """The words before a segment whose sound its windows may have, from ``sound_from_s`` on.

    ``previous`` are tokens of text before them. ``mark`` are the tokens of the mark that was heard
    behind the last of them, which is left open.
    """

    words: tuple[HeardWord, ...] = ()
    sound_from_s: float = 0.0
    previous: tuple[int, ...] = ()
    mark: tuple[int, ...] = ()

    def span(self, own: Sequence[HeardWord], start_s: float, end_s: float, window_s: float) -> Span:
        """A window that ends at ``end_s``, for a segment from ``start_s`` on with words of its own.

        The sound behind the known words is always in it.
        """
        known = [*self.words, *own]
        room = MOST_PREFIX
        first = len(known)
        for at in reversed(range(len(known))):
            room -= len(known[at].tokens)
            if room < 0 or known[at].start_s < end_s - window_s:
                break
            first = at
        if not first:
            earliest_s = self.sound_from_s if self.words else start_s
        else:
            earliest_s = known[first - 1].end_s
        if first == len(known):
            return Span(max(start_s, earliest_s), ())
        return Span(max(earliest_s, known[first].start_s - BEFORE_WORD_S), known[first:])


@dataclass(slots=True, eq=False)
class Past:
    """The words of the segments that have ended, as many as may still be used, in one language."""

    rules: ContextRules
    language: str | None = None
    words: list[HeardWord] = field(default_factory=list)
    sound_from_s: float = 0.0
    mark: tuple[int, ...] = ()

    def add(self, words: Sequence[HeardWord], language: str | None, start_s: float) -> None:
        """Add the words of a segment that has ended, whose sound begins at ``start_s``.

        The mark behind the last of them was a guess, as nothing followed: what follows is heard
        without it. (After "Cela peut être fait." base hears "en attendant" for "en allant".)
        """
        if language != self.language:
            self.words = []
        if not self.words or start_s - self.words[-1].end_s > self.rules.pause_s:
            self.sound_from_s = start_s
        self.language = language
        self.mark = last_mark(words)
        self.words = self._recent([*self.words, *without_last_mark(words)])

    def forget(self) -> None:
        """Forget everything: it is not to be trusted."""
        self.words = []

    def before(self, start_s: float) -> Context:
        """The context of a segment that begins at ``start_s``."""
        if not self.words or start_s - self.words[-1].end_s > self.rules.forget_s:
            self.words = []
            return Context()
        near = start_s - self.words[-1].end_s <= self.rules.pause_s
        heard = [
            word
            for word in self.words
            if near and word.start_s >= max(self.sound_from_s, start_s - self.rules.audio_s)
        ]
        before = self.words[: len(self.words) - len(heard)]
        from_s = before[-1].end_s if before else self.sound_from_s
        previous = tokens_of(self._prompt(before))
        mark = self.mark if heard else ()
        return Context(tuple(heard), max(from_s, self.sound_from_s), previous, mark)

    def _prompt(self, words: Sequence[HeardWord]) -> Sequence[HeardWord]:
        kept = list(words)
        while kept and len(text_of(kept)) > self.rules.prompt_letters:
            kept.pop(0)
        return kept

    def _recent(self, words: list[HeardWord]) -> list[HeardWord]:
        """The words that may be in a window's sound, and those before them for the prompt."""
        heard_s = words[-1].end_s - self.rules.audio_s if words else 0.0
        before = [word for word in words if word.start_s < heard_s]
        return [*self._prompt(before), *words[len(before) :]]
