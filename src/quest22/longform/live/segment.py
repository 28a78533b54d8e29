"""One segment of a session while it is open: its words, certain and uncertain, and its events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from quest22.longform.live.context import Context
from quest22.longform.live.words import HeardWord, text_of
from quest22.records import (
    SAMPLE_RATE_HZ,
    Hypothesis,
    LiveEvent,
    LiveTextType,
    Segment,
    VoiceEventType,
)


@dataclass(slots=True, eq=False)
class OpenSegment:
    """A segment whose sound begins at sample ``start``; ``number`` is its place in the session.

    Its ``language`` is a guess until it is ``settled``. ``committed`` words stay; those of the
    ``tail`` may change. ``heard`` is the sample up to which a window has covered it. ``idle_steps``
    is how many have gone by without a committed word, ``doubts`` how many in a row were not
    believed. ``mark``: what the model said, and nothing else, with speech behind it; it is given to
    the next windows, so that they go on. ``ending``: no sound is to come. ``told``: it ends with an
    event, even without text.
    """

    number: int
    start: int
    language: str | None
    settled: bool
    context: Context = field(default_factory=Context)
    language_probability: float = 0.0
    committed: list[HeardWord] = field(default_factory=list)
    tail: list[HeardWord] = field(default_factory=list)
    heard: int = 0
    idle_steps: int = 0
    doubts: int = 0
    mark: tuple[int, ...] = ()
    ending: bool = False
    told: bool = False
    revision: int = 0
    _shown: tuple[str, int] = ("", 0)

    @property
    def text(self) -> str:
        """All text so far, with the space before it."""
        return text_of(self.committed) + text_of(self.tail)

    @property
    def last_s(self) -> float:
        """Where the last committed word ends, in seconds; 0: there is none."""
        return self.committed[-1].end_s if self.committed else 0.0

    @property
    def start_s(self) -> float:
        """Where its sound begins, in seconds."""
        return self.start / SAMPLE_RATE_HZ

    def update(self, words: Sequence[HeardWord], stable: int, heard_s: float) -> LiveEvent | None:
        """Put words in place of the tail, the first ``stable`` of them for good; tell what changed.

        ``heard_s`` is how much of the session was heard. None: nothing to be seen changed.
        """
        self.idle_steps = 0 if stable or not words else self.idle_steps + 1
        self.tail = list(words)
        self.commit(stable)
        if (self.text, len(self.committed)) == self._shown:
            return None
        return self._event("committed" if stable else "interim", heard_s)

    def commit(self, count: int) -> None:
        """Let the first words of the tail stay."""
        self.committed += self.tail[:count]
        del self.tail[:count]

    def end(self, heard_s: float) -> LiveEvent | None:
        """Make all words stable and end the segment; None: nothing was ever shown of it."""
        self.commit(len(self.tail))
        if not (self.committed or self.revision or self.told):
            return None
        return self._event("final", heard_s)

    def record(self, hypothesis: Hypothesis, *, words: bool) -> Segment:
        """The segment of the transcript, once it has ended with words."""
        timed = tuple(each.timed() for each in self.committed)
        return Segment(
            start_s=timed[0].start_s,
            end_s=timed[-1].end_s,
            text=text_of(self.committed),
            avg_logprob=hypothesis.avg_logprob,
            no_speech_prob=hypothesis.no_speech_prob,
            temperature=hypothesis.temperature,
            words=timed if words else None,
            language=self.language,
            language_probability=self.language_probability,
        )

    def voice(self, kind: VoiceEventType, at_s: float) -> LiveEvent:
        """Tell of the voice, not of the text."""
        return LiveEvent(kind, self.number, self.revision, "", (), at_s, self.language)

    def _event(self, kind: LiveTextType, heard_s: float) -> LiveEvent:
        self._shown = (self.text, len(self.committed))
        revision, self.revision = self.revision, self.revision + 1
        words = [word.shown(stable=True) for word in self.committed]
        words += [word.shown(stable=False) for word in self.tail]
        return LiveEvent(
            kind, self.number, revision, self.text.strip(), tuple(words), heard_s, self.language
        )
