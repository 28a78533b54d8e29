"""What the windows of a segment get of what was said before it: its sound, or its text.

Short utterances are heard better with what came before them. After a short pause the window begins
in the earlier sound, whose words stand as a prefix; otherwise the earlier text is a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from quest22.longform.live.words import HeardWord, text_of, tokens_of

BEFORE_WORD_S = 0.2
"""Sound that a window has before its first word, unless another word is there."""


@dataclass(frozen=True, slots=True)
class ContextRules:
    """How much of the past is used.

    ``audio_s`` seconds of sound at most, after a pause of at most ``pause_s``; ``prompt_letters``
    letters of text; nothing after ``forget_s`` of silence.
    """

    audio_s: float = 12.0
    pause_s: float = 2.0
    prompt_letters: int = 200
    forget_s: float = 10.0


@dataclass(frozen=True, slots=True)
class WindowContext:
    """For the windows of one segment: where they begin, in seconds, their prefix and prompt.

    ``start_s`` None: where the segment begins.
    """

    start_s: float | None = None
    prefix: tuple[int, ...] = ()
    previous: tuple[int, ...] = ()


@dataclass(slots=True, eq=False)
class Past:
    """The words said so far, as many as may still be used, all in one language."""

    rules: ContextRules
    language: str | None = None
    words: list[HeardWord] = field(default_factory=list)
    sound_from_s: float = 0.0

    def add(self, words: Sequence[HeardWord], language: str | None, start_s: float) -> None:
        """Add the words of a segment that has ended, whose sound begins at ``start_s``."""
        if language != self.language:
            self.words = []
        if not self._joins(start_s):
            self.sound_from_s = start_s
        self.language = language
        self.words += words
        letters = 0
        for at in reversed(range(len(self.words))):
            letters += len(self.words[at].text)
            if letters > 4 * self.rules.prompt_letters and self._is_far(self.words[at]):
                del self.words[:at]
                break

    def forget(self) -> None:
        """Forget everything: it is not to be trusted."""
        self.words = []

    def before(self, start_s: float, *, sound: bool = True) -> WindowContext:
        """The context of a segment that begins at ``start_s``; without ``sound``, text alone."""
        if not self.words or start_s - self.words[-1].end_s > self.rules.forget_s:
            self.words = []
            return WindowContext()
        heard = self._heard(start_s) if sound else len(self.words)
        previous = self._prompt(self.words[:heard])
        if heard == len(self.words):
            return WindowContext(previous=previous)
        first_s = self.words[heard].start_s
        earliest_s = self.words[heard - 1].end_s if heard else self.sound_from_s
        begin_s = max(earliest_s, first_s - BEFORE_WORD_S)
        return WindowContext(begin_s, tokens_of(self.words[heard:]), previous)

    def _heard(self, start_s: float) -> int:
        """The first of the words whose sound the window begins with; all: none of them."""
        if start_s - self.words[-1].end_s > self.rules.pause_s:
            return len(self.words)
        for at, word in enumerate(self.words):
            recent = word.start_s >= start_s - self.rules.audio_s
            if recent and word.start_s >= self.sound_from_s:
                return at
        return len(self.words)

    def _prompt(self, words: Sequence[HeardWord]) -> tuple[int, ...]:
        kept = list(words)
        while kept and len(text_of(kept)) > self.rules.prompt_letters:
            kept.pop(0)
        return tokens_of(kept)

    def _joins(self, start_s: float) -> bool:
        return bool(self.words) and start_s - self.words[-1].end_s <= self.rules.pause_s

    def _is_far(self, word: HeardWord) -> bool:
        return word.end_s < self.words[-1].end_s - 2 * self.rules.audio_s
