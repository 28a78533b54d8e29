"""Transcribes recordings in windows cut at pauses.

Windows do not overlap and begin and end at pauses, so nothing is said twice, and nothing has to be
joined. Measurements behind the method and its numbers: ``docs/accuracy-study.md``. The steps:

1. :mod:`~quest22.longform.pauses.speech_windows` cuts the audio, without long silences;
2. the windows vote on the language, and those that were detected in another one run again;
3. :mod:`~quest22.longform.pauses.retries` decodes again what is not trusted;
4. :mod:`~quest22.longform.pauses.coverage` finds speech without text, which is decoded on its own;
5. with the quality ``best``, the words of several hypotheses vote
   (:mod:`~quest22.longform.pauses.word_vote`).

Windows of a clip run side by side. Each step of a window follows as soon as those it depends on are
done; its results do not depend on the order in which hypotheses come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import takewhile

from quest22.errors import ClipError
from quest22.longform.hallucination import dropped
from quest22.longform.pause_splitting import split_at_pauses
from quest22.longform.pauses.coverage import RATE_WINDOWS, TextRate
from quest22.longform.pauses.language_vote import FIRST_WINDOWS, LanguageVote
from quest22.longform.pauses.ordering import in_order, spaced, timed_by_words
from quest22.longform.pauses.procedures import Procedure, Procedures
from quest22.longform.pauses.speech_bounds import fitted
from quest22.longform.pauses.speech_windows import SpeechWindow, SpeechWindows, WindowingRules
from quest22.longform.pauses.window_transcriber import TranscriptionRules, WindowTranscriber
from quest22.longform.speech_timeline import SpeechTimeline
from quest22.longform.transcript import LanguageSpan, build_transcript, prevailing_language
from quest22.protocols import SpeechProbabilities
from quest22.records import (
    SAMPLE_RATE_HZ,
    WINDOW_S,
    Clip,
    DecodingOptions,
    DroppedSegment,
    Hypothesis,
    Partial,
    Samples,
    Segment,
    Transcript,
    Window,
)


@dataclass(frozen=True, slots=True, eq=False)
class PausesStrategy:
    """Opens a :class:`PausesClip` for each clip, all with the same settings.

    ``probabilities`` opens a stream of speech probabilities.
    """

    windowing: WindowingRules
    rules: TranscriptionRules
    probabilities: Callable[[], SpeechProbabilities]

    def open(self, clip: Clip) -> PausesClip:
        windows = SpeechWindows(self.probabilities(), self.windowing)
        return PausesClip(clip, windows, self.rules)


class Stage(IntEnum):
    """How far a window is; each stage begins when those before it, and other windows, allow it."""

    NEW = 0
    DECODED = 1
    COMPLETING = 2
    COMPLETED = 3
    THICKENING = 4
    THICKENED = 5
    VOTING = 6
    DONE = 7


@dataclass(slots=True, eq=False)
class _Progress:
    transcriber: WindowTranscriber
    stage: Stage = Stage.NEW

    def reach(self, stage: Stage) -> None:
        self.stage = stage


class PausesClip:
    """One clip; see :class:`quest22.protocols.LongForm`.

    Holds the audio of the windows that are not done, and of a few minutes more.
    """

    def __init__(self, clip: Clip, windows: SpeechWindows, rules: TranscriptionRules) -> None:
        self._clip = clip
        self._audio = windows
        self._rules = rules
        self._procedures = Procedures()
        self._windows: dict[int, _Progress] = {}  # those that are not joined, by number
        self._opened = self._voted = self._measured = self._joined = 0
        self._vote = LanguageVote(rules.policy.decoding.detection)
        self._rate = TextRate()
        self._timeline = SpeechTimeline()
        self._segments: list[Segment] = []
        self._dropped: list[DroppedSegment] = []
        self._languages: list[LanguageSpan] = []
        self._flushed = False

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block of audio, ``[samples]``; return the complete windows."""
        return self._open(self._audio.feed(samples))

    def flush(self) -> list[Window]:
        """Return the last windows. Raises :class:`ClipError` if there was no audio at all."""
        self._flushed = True
        if not self._audio.samples_fed:
            raise ClipError("longform", "it holds no sound: expected at least one sample")
        return self._open(self._audio.flush())

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take a window's hypothesis; return the windows that waited for it."""
        return [*self._procedures.add_result(window, hypothesis), *self._advance()]

    @property
    def wants_audio(self) -> bool:
        return not self._flushed

    @property
    def finished(self) -> bool:
        return self._flushed and self._procedures.idle

    def partial(self) -> Partial:
        """The segments of the windows that are done, then the first text of the others."""
        decoded = takewhile(lambda each: each.stage >= Stage.DECODED, self._windows.values())
        return Partial(tuple(self._segments), "".join(each.transcriber.text for each in decoded))

    def close(self) -> Transcript:
        silences = self._timeline.silences(self._audio.samples_fed)
        given = self._rules.policy.decoding.language
        unheard = (given, 0.0 if given is None else 1.0)
        return build_transcript(
            self._clip,
            duration_s=self._audio.samples_fed / SAMPLE_RATE_HZ,
            text="".join(each.text for each in self._segments).strip(),
            segments=self._segments,
            language=prevailing_language(self._languages) if self._languages else unheard,
            dropped=sorted([*silences, *self._dropped], key=lambda each: each.start_s),
        )

    def _open(self, speech: list[SpeechWindow]) -> list[Window]:
        """Start to decode new windows."""
        windows: list[Window] = []
        for each in speech:
            for start, stop in each.timeline.spans:
                self._timeline.add(start, stop - start)
            by_words = self._is_placed_by_words(each)
            decoding = self._decoding(each, words=by_words)
            opened = _Progress(WindowTranscriber(self._rules, each, decoding, by_words=by_words))
            self._windows[self._opened] = opened
            self._opened += 1
            windows += self._start(opened.transcriber.decode(), opened, Stage.DECODED)
        return [*windows, *self._advance()]

    def _is_placed_by_words(self, speech: SpeechWindow) -> bool:
        """Whether a window's segments have the times of their words, whoever asks for words."""
        timestamps = self._rules.policy.decoding.timestamps
        return timestamps and speech.has_long_pause(self._rules.speech_threshold)

    def _decoding(self, speech: SpeechWindow, *, words: bool) -> DecodingOptions:
        policy = self._rules.policy
        prompt = policy.prompt_context.alone()
        decoding = policy.window_options(prompt, first=not self._opened)
        if words:
            decoding = replace(decoding, words=True)
        return self._rules.quality.first_pass(decoding, whole=speech.whole)

    def _advance(self) -> list[Window]:
        """Start what has become possible; return its windows."""
        windows: list[Window] = []
        while started := [*self._complete(), *self._thicken(), *self._vote_on_words()]:
            windows += started
        self._join()
        return windows

    def _complete(self) -> list[Window]:
        """Complete the decoded windows, once the language of the clip is known."""
        windows: list[Window] = []
        while self._is_at(self._voted, Stage.DECODED):
            transcriber = self._windows[self._voted].transcriber
            self._vote.add(transcriber.hypothesis, transcriber.duration_s)
            self._voted += 1
            if self._is_language_known:
                windows += self._complete_until(self._voted)
        if self._is_all(self._voted):
            windows += self._complete_until(self._voted)
        return windows

    @property
    def _is_language_known(self) -> bool:
        """Whether the vote is over, or the rest of the first windows cannot change its result."""
        if self._voted >= FIRST_WINDOWS or not self._rules.one_language:
            return True
        opened = range(self._voted, min(self._opened, FIRST_WINDOWS))
        rest_s = sum(self._windows[each].transcriber.duration_s for each in opened)
        if not self._flushed:
            rest_s += WINDOW_S * max(FIRST_WINDOWS - self._opened, 0)
        return self._vote.is_settled(rest_s)

    def _complete_until(self, stop: int) -> list[Window]:
        windows: list[Window] = []
        for each in map(self._windows.__getitem__, range(self._joined, stop)):
            if each.stage is Stage.DECODED:
                own, voted = each.transcriber.hypothesis.language, self._vote.language
                procedure = each.transcriber.complete(voted if self._rules.one_language else own)
                each.stage = Stage.COMPLETING
                windows += self._start(procedure, each, Stage.COMPLETED)
        return windows

    def _thicken(self) -> list[Window]:
        """Look for thin segments in completed windows, once the usual rate of text is known."""
        windows: list[Window] = []
        while self._is_at(self._measured, Stage.COMPLETED):
            transcriber = self._windows[self._measured].transcriber
            self._rate.add(transcriber.segments, transcriber.is_speech)
            self._measured += 1
            if self._rate.known or self._measured >= RATE_WINDOWS:
                windows += self._thicken_until(self._measured)
        if self._is_all(self._measured):
            windows += self._thicken_until(self._measured)
        return windows

    def _thicken_until(self, stop: int) -> list[Window]:
        windows: list[Window] = []
        for each in map(self._windows.__getitem__, range(self._joined, stop)):
            if each.stage is Stage.COMPLETED:
                each.stage = Stage.THICKENING
                windows += self._start(each.transcriber.thicken(self._rate), each, Stage.THICKENED)
        return windows

    def _vote_on_words(self) -> list[Window]:
        """Let the words of the windows vote that are complete otherwise."""
        windows: list[Window] = []
        for each in list(self._windows.values()):
            if each.stage is Stage.THICKENED and self._rules.quality.votes:
                each.stage = Stage.VOTING
                windows += self._start(each.transcriber.vote(), each, Stage.DONE)
            elif each.stage is Stage.THICKENED:
                each.stage = Stage.DONE
        return windows

    def _start(self, procedure: Procedure[None], progress: _Progress, end: Stage) -> list[Window]:
        return self._procedures.start(procedure, lambda: progress.reach(end))

    def _is_at(self, index: int, stage: Stage) -> bool:
        return index in self._windows and self._windows[index].stage is stage

    def _is_all(self, count: int) -> bool:
        return self._flushed and count == self._opened

    def _join(self) -> None:
        """Take the segments of the windows that are done, in order."""
        while self._is_at(self._joined, Stage.DONE):
            transcriber = self._windows.pop(self._joined).transcriber
            self._joined += 1
            best, speech = transcriber.hypothesis, transcriber.speech
            self._languages.append(
                LanguageSpan(best.language, best.language_probability, len(speech.samples))
            )
            timeline = speech.timeline
            self._dropped += [timeline.dropped(each) for each in transcriber.dropped]
            segments = in_order(transcriber.segments)
            by_words = transcriber.by_words
            if transcriber.decoding.timestamps:
                segments = fitted(segments, transcriber.is_speech, by_words=by_words)
            placed = [timeline.segment(each, by_words=by_words) for each in segments]
            for segment in in_order(placed):
                self._take(segment, timeline)

    def _take(self, segment: Segment, timeline: SpeechTimeline) -> None:
        """Take a segment, in parts if it lasts over a long pause."""
        policy = self._rules.policy
        reason = policy.hallucination.reason(segment)
        if reason is not None:
            self._dropped.append(dropped(segment, reason))
            return
        keep_words = policy.word_timer is not None
        for part in split_at_pauses(
            segment, timeline.is_apart, policy.tokens, keep_words=keep_words
        ):
            if part.text.strip():
                last = self._segments[-1] if self._segments else None
                separate = spaced(part, last.text if last else " ")
                self._segments.append(timed_by_words(separate, last.end_s if last else 0.0))
