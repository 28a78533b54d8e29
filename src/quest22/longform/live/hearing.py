"""What a window of a segment says: its words in the session, and whether they are believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from quest22.longform.live.endpointing import SpeechMemory
from quest22.longform.live.guards import SHORTEST_SPEECH_S, Heard
from quest22.longform.live.rules import LiveRules
from quest22.longform.live.segment import OpenSegment
from quest22.longform.live.words import (
    Bounds,
    HeardWord,
    ends_sentence,
    heard_words,
    with_first_mark,
    without_first_mark,
)
from quest22.records import SAMPLE_RATE_HZ, Hypothesis, Window

SURE_END = 0.9
"""The mark of a sentence's end that is so probable is no pause within it."""


class Job(Enum):
    """What a window is for."""

    PREVIEW = "preview"
    PAUSE = "pause"
    CUT = "cut"
    RETRY = "retry"


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """A window in the engine, and the sample at which its sound ends.

    ``mark``: the tokens of a mark that it was given before the words to come. ``tentative``: none
    of them may stay.
    """

    job: Job
    window: Window
    end: int
    mark: tuple[int, ...] = ()
    tentative: bool = False

    @property
    def end_s(self) -> float:
        return self.end / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The words of a window behind those that were known; ``refusal``: why they are not believed.

    ``tries`` is how often the sound was decoded.
    """

    running: Running
    hypothesis: Hypothesis
    words: Sequence[HeardWord]
    heard: Heard
    refusal: str | None
    tries: int = 1

    @property
    def mark(self) -> tuple[int, ...]:
        """The tokens of a mark that is all the text, although there is speech; else none."""
        spoken = self.heard.speech_s >= SHORTEST_SPEECH_S
        stopped = spoken and not self.words
        return (self.running.mark or self.hypothesis.tokens) if stopped else ()

    def is_complete(self, sure: float) -> bool:
        """Whether nothing seems to be missing: a short pause is enough to end the segment.

        Either a sentence ends here, very probably, whatever its words are; or all words are as
        probable as ``sure``, and what ends the text is, too. A full stop that is less probable is
        often a pause within a sentence.
        """
        alignment = self.hypothesis.alignment
        if alignment is None or not self.words:
            return False
        end = alignment.probabilities[-1]
        if end >= SURE_END and ends_sentence(self.words[-1].text):
            return True
        return end >= sure and all(word.probability >= sure for word in self.words)

    def goes_on(self, sure: float) -> bool:
        """Whether more seems to come: there are words, and what ends the text is not so probable.

        The model writes a full stop or an ellipsis also where somebody pauses within a sentence.
        """
        alignment = self.hypothesis.alignment
        return alignment is not None and bool(self.words) and alignment.probabilities[-1] < sure


def understood(
    rules: LiveRules,
    segment: OpenSegment,
    running: Running,
    hypothesis: Hypothesis,
    speech: SpeechMemory,
) -> Result:
    """What a hypothesis says about the segment that is open.

    Raises :class:`quest22.errors.EngineError` if the engine gave no alignment.
    """
    from_s = max(segment.last_s, segment.start_s)
    ends_s = running.end_s
    if running.job in (Job.PAUSE, Job.RETRY):
        ends_s = min(ends_s, speech.end_s)
    bounds, offset_s = Bounds(from_s, ends_s), running.window.start_s
    known = [*segment.context.words, *segment.committed]
    words = heard_words(hypothesis, rules.policy.tokens, offset_s, bounds, known)
    if not segment.committed:
        words = with_first_mark(without_first_mark(words), running.mark)
    heard = Heard(
        sound_s=running.end_s - from_s,
        speech_s=speech.between(from_s, running.end_s),
        rest_s=speech.between(words[-1].end_s if words else from_s, running.end_s),
        is_first=not segment.committed,
    )
    refusal = rules.guards.refusal(hypothesis, heard)
    return Result(running, hypothesis, words, heard, refusal)
