"""Which hypotheses are not believed: loops, silence taken for speech, text nobody could say."""

from __future__ import annotations

from dataclasses import dataclass

from quest22.longform.hallucination import HALLUCINATION, LOOP, NO_SPEECH
from quest22.longform.pauses.trust import Trust
from quest22.records import Hypothesis

INVENTED_LOGPROB = -0.7
"""Text below this mean log-probability needs speech in the sense of the voice detector."""

SHORTEST_SPEECH_S = 0.25
UNHEARD_SPEECH_S = 0.6
"""So much speech behind the last word: the model has stopped too early. Of 560 last windows, in
sessions that lost no end, none had more than 0.45 s."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a hypothesis is a hypothesis of, in seconds.

    ``sound_s`` of sound without committed words, in which ``speech_s`` are speech, ``rest_s`` of
    that behind the last word. ``is_first``: no word of the segment was committed before.
    """

    sound_s: float
    speech_s: float
    rest_s: float
    is_first: bool


@dataclass(frozen=True, slots=True, eq=False)
class Guards:
    """The rules, whose thresholds are the fallback's."""

    trust: Trust

    def refusal(self, hypothesis: Hypothesis, heard: Heard) -> str | None:
        """Why the text is not to be shown; None: it may be."""
        if not self.trust.is_sane(hypothesis, heard.sound_s):
            return LOOP
        if not heard.is_first or not self.trust.text(hypothesis).strip():
            return None
        if self.trust.fallback.is_silence(hypothesis):
            return NO_SPEECH
        return HALLUCINATION if self._is_invented(hypothesis, heard) else None

    def is_doubtful(self, hypothesis: Hypothesis, heard: Heard) -> bool:
        """Whether a final text is worth another try."""
        if not self._is_whole(hypothesis, heard):
            return True
        if not hypothesis.tokens and not heard.is_first:
            return False
        return not self.trust.is_trusted(hypothesis, heard.sound_s)

    def rank(self, hypothesis: Hypothesis, heard: Heard) -> tuple[bool, bool, float]:
        """The better of two hypotheses for the same sound has the higher rank."""
        sane = self.trust.is_sane(hypothesis, heard.sound_s)
        return sane, self._is_whole(hypothesis, heard), hypothesis.avg_logprob

    def _is_whole(self, hypothesis: Hypothesis, heard: Heard) -> bool:
        """Whether the text goes on to the end of the speech; the first of a segment has words."""
        says_nothing = not any(map(str.isalnum, self.trust.text(hypothesis)))
        if heard.is_first and says_nothing:
            return heard.rest_s < SHORTEST_SPEECH_S
        return heard.rest_s < UNHEARD_SPEECH_S

    def _is_invented(self, hypothesis: Hypothesis, heard: Heard) -> bool:
        threshold = self.trust.fallback.thresholds.no_speech_threshold
        if threshold is None:
            return False
        doubtful = (
            hypothesis.no_speech_prob > threshold or hypothesis.avg_logprob < INVENTED_LOGPROB
        )
        return doubtful and heard.speech_s < SHORTEST_SPEECH_S
