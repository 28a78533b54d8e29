"""The machine of live captions: sound in, windows out; hypotheses in, events out.

Knows no engine, no clock and no thread: what it does depends on the sound, on the hypotheses, and
on when previews are asked for. Its parts:

1. :mod:`~quest22.longform.live.endpointing` finds where segments begin, pause and end;
2. a preview hears a segment that goes on; :mod:`~quest22.longform.live.commit` says which of its
   words stay. They are the prefix of the next window, and the rest is its draft;
3. when speech pauses, a last window hears all of it; its text is final when the pause lasts;
4. a segment without a pause is cut behind its last certain word;
5. :mod:`~quest22.longform.live.context` gives windows what was said before them;
   :mod:`~quest22.longform.live.guards` refuses what nobody said.

One window of a session runs at a time, so that each continues what the one before it has found.
While a last window runs, frames wait: so the windows do not depend on how the sound was divided
into blocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from quest22.longform.hallucination import LOOP
from quest22.longform.live.context import Context, Past, Span
from quest22.longform.live.endpointing import Endpointer, Signal, SpeechMemory
from quest22.longform.live.guards import Heard
from quest22.longform.live.hearing import Job, Result, Running, understood
from quest22.longform.live.history import History
from quest22.longform.live.rules import LiveRules
from quest22.longform.live.segment import OpenSegment
from quest22.longform.live.sound import SoundBuffer
from quest22.longform.live.windows import (
    CERTAIN_AFTER_S,
    CERTAIN_LANGUAGE,
    MOST_TRIES,
    WindowOptions,
)
from quest22.longform.soundless import silence
from quest22.longform.transcript import build_transcript, prevailing_language
from quest22.protocols import SpeechProbabilities
from quest22.records import (
    SAMPLE_RATE_HZ,
    VAD_FRAME_SAMPLES,
    Clip,
    DecodingOptions,
    DroppedSegment,
    Hypothesis,
    LiveEvent,
    Partial,
    Samples,
    Transcript,
    VoiceEventType,
    Window,
)

WAITING_S = 10.0
"""Sound that waits while a window runs; more waits outside."""

MOST_DOUBTS = 2
"""After so many windows in a row that are not believed, what was said before is forgotten."""

WORD_S = 2.0
"""A word that is heard again lasts no longer: its beginning is a guess."""

BEGINNING_S, BEGINNING_STEP = 0.9, 0.64
"""In so much speech at first, steps are this share of those that follow."""

TENTATIVE_WINDOW_S = 4.0
"""Windows of so little speech are as short: nothing of their text may stay. The model often says
no more than the full stop before it, so it is given the one that was heard there."""

LATE_STEPS = 3
"""Previews that come so many steps late mean that the machine is busy: it gets no extra work."""

REMEMBERED_S = 45.0
"""How far back the frames of speech are remembered: longer than a segment."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveStrategy:
    """Opens a :class:`LiveClip` for each session; ``probabilities`` opens a voice detector."""

    rules: LiveRules
    probabilities: Callable[[], SpeechProbabilities]

    def open(self, clip: Clip) -> LiveClip:
        return LiveClip(clip, self.rules, self.probabilities())


class LiveClip:
    """One session; see :class:`quest22.protocols.LiveLongForm`.

    Holds about 50 s of sound at most.
    """

    def __init__(self, clip: Clip, rules: LiveRules, probabilities: SpeechProbabilities) -> None:
        self._clip = clip
        self._rules = rules
        self._options = WindowOptions(
            rules.policy,
            rules.audio_context,
            rules.quality,
            knows_language=rules.language is not None,
        )
        self._detector = probabilities
        self._sound = SoundBuffer()
        self._coming: deque[float] = deque()  # the probabilities of frames that are not taken yet
        self._endpointer = Endpointer(rules.endpoints)
        self._speech = SpeechMemory(rules.endpoints.threshold, REMEMBERED_S)
        self._past = Past(rules.context)
        self._history = History(rules.history_s)
        self._segment: OpenSegment | None = None
        self._segments = 0
        self._free_from = 0  # earlier samples belong to segments that have ended
        self._running: Running | None = None
        self._due: Job | None = None
        self._last: Result | None = None
        self._commits: deque[int] = deque()  # where a segment is to end, in samples
        self._committing: int | None = None  # the one whose segment has not ended yet
        self._events: list[LiveEvent] = []
        self._windows = 0
        self._flushed = False

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block, ``[samples]``; return the last window of a segment that pauses."""
        self._sound.add(samples)
        self._coming.extend(map(float, self._detector.feed(samples)))
        return self._go_on()

    def flush(self) -> list[Window]:
        """The session has ended: return the last window of the segment that is still open."""
        self._flushed = True
        self._coming.extend(map(float, self._detector.flush()))
        return self._go_on()

    def commit(self) -> list[Window]:
        """End the segment that goes on with the sound so far; return its last window."""
        self._commits.append(self._sound.end)
        return self._go_on()

    def preview(self) -> Window | None:
        """A window of the open segment so far.

        None: too early, or another one is running, or speech has paused, perhaps.
        """
        segment = self._segment
        if segment is None or self._running is not None or self._due is not None:
            return None
        if self._endpointer.has_gone_quiet:  # a last window may be due at once
            return None
        step_s = self._rules.step_s
        if self._has_just_begun(segment.heard):
            step_s *= BEGINNING_STEP
        if self._unheard(segment) < step_s * SAMPLE_RATE_HZ:
            return None
        return self._run(segment, Job.PREVIEW)

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take a window's hypothesis; return the window that waited for it."""
        segment, running = self._answered(window)
        if running.job is Job.RETRY:
            self._compare(segment, running, hypothesis)
        else:
            self._hear(segment, running, hypothesis)
        self._conclude(segment, running)
        return self._go_on()

    def add_failure(self, window: Window, reason: str) -> list[Window]:
        """The engine failed on a window: a segment may end with what is committed."""
        segment, running = self._answered(window)
        segment.heard = running.end
        if running.job is Job.RETRY and self._last is not None:
            self._last = replace(self._last, tries=MOST_TRIES)
        elif running.job is not Job.PREVIEW:
            sound_s = running.end_s - segment.start_s
            heard = Heard(sound_s, speech_s=0.0, rest_s=0.0, is_first=not segment.committed)
            self._last = Result(running, silence(window), (), heard, reason, MOST_TRIES)
        self._conclude(segment, running)
        return self._go_on()

    def _answered(self, window: Window) -> tuple[OpenSegment, Running]:
        running, segment = self._running, self._segment
        if running is None or segment is None or running.window.index != window.index:
            raise RuntimeError(f"window {window.index} is not running: expected the one that is")
        self._running = None
        return segment, running

    def _conclude(self, segment: OpenSegment, running: Running) -> None:
        """Cut or end the segment whose last window was heard."""
        if running.job is Job.CUT:
            self._cut(segment, running.end)
        elif segment.ending and running.job is not Job.PREVIEW:
            self._end(segment)

    @property
    def wants_audio(self) -> bool:
        waiting = len(self._coming) * VAD_FRAME_SAMPLES
        return not self._flushed and waiting < WAITING_S * SAMPLE_RATE_HZ

    @property
    def finished(self) -> bool:
        return self._flushed and not self._coming and self._segment is None

    @property
    def unheard_s(self) -> float:
        """Seconds of speech that no window has covered yet."""
        segment = self._segment
        return 0.0 if segment is None else self._unheard(segment) / SAMPLE_RATE_HZ

    def take_events(self) -> list[LiveEvent]:
        """The events since the last call, without latencies."""
        events, self._events = self._events, []
        return events

    def partial(self) -> Partial:
        """The segments that have ended, as far as they are kept, and the text of the open one."""
        interim = "" if self._segment is None else self._segment.text
        return Partial(self._history.segments, interim)

    def close(self) -> Transcript:
        """The transcript, as far as its segments are kept."""
        segments, languages = self._history.segments, self._history.languages
        given = self._rules.language
        unheard = (given, 0.0 if given is None else 1.0)
        return build_transcript(
            self._clip,
            duration_s=self._sound.end / SAMPLE_RATE_HZ,
            text="".join(each.text for each in segments).strip(),
            segments=segments,
            language=prevailing_language(languages) if languages else unheard,
            dropped=self._history.dropped,
        )

    # Frames, one by one.

    @property
    def _now(self) -> int:
        """The sample at which the frames that were taken end."""
        return min(self._endpointer.frames * VAD_FRAME_SAMPLES, self._sound.end)

    def _go_on(self) -> list[Window]:
        """Take frames until a window is due; return it once it can run."""
        while self._due is None and (self._running is None or self._running.job is Job.PREVIEW):
            if self._commits and self._endpointer.frames >= self._commits[0] // VAD_FRAME_SAMPLES:
                self._commit_at(self._commits.popleft())
            elif self._coming:
                self._take(self._coming.popleft())
            elif self._flushed and self._segment is not None and self._running is None:
                self._finish()
            else:
                break
        self._sound.drop_before(self._needed_from)
        job, segment = self._due, self._segment
        if job is None or segment is None or self._running is not None:
            return []
        self._due = None
        return [self._run(segment, job)]

    def _commit_at(self, sample: int) -> None:
        """End the open segment, if there is one, as it was asked for when sound ended there."""
        self._committing = sample
        self._endpointer.close()
        if self._segment is None:
            self._committed()
        else:
            self._finish()

    def _committed(self) -> None:
        """All that was said before a commit is final."""
        sample, self._committing = self._committing, None
        if sample is not None and self._rules.voice_events:
            at_s = sample / SAMPLE_RATE_HZ
            self._events.append(LiveEvent("flushed", self._segments, 0, "", (), at_s))

    @property
    def _needed_from(self) -> int:
        kept_s = max(self._rules.context.audio_s, self._rules.pre_roll_s) + 1
        kept = self._now - _samples(kept_s)
        segment = self._segment
        return kept if segment is None else min(kept, segment.start - _samples(kept_s))

    def _take(self, probability: float) -> None:
        signal = self._endpointer.feed(probability)
        self._speech.add(probability, self._endpointer.speech_end)
        if signal is Signal.OPENED:
            start = self._endpointer.speech_start * VAD_FRAME_SAMPLES - _samples(
                self._rules.pre_roll_s
            )
            self._segment = self._opened(max(self._free_from, start))
            self._tell_voice(self._segment, "speech_started", self._segment.start)
        segment = self._segment
        if segment is None:
            return
        if signal is Signal.PAUSED:
            self._due = Job.PAUSE
        elif signal is Signal.RESUMED:
            self._last = None
        elif signal is Signal.ENDED:
            self._finish()
        elif signal is Signal.MAY_END and self._is_complete():
            self._endpointer.close()
            self._finish()
        elif signal is Signal.SHOULD_END and not self._goes_on():
            self._endpointer.end()
            self._finish()
        elif self._is_too_long(segment):
            self._due = Job.CUT

    def _is_too_long(self, segment: OpenSegment) -> bool:
        return self._now - segment.start >= _samples(self._rules.max_segment_s)

    def _is_complete(self) -> bool:
        """Whether nothing seems to be missing in what the last window heard."""
        last = self._last
        if last is None or last.refusal is not None:
            return False
        return last.is_complete(self._rules.commit.sure)

    def _goes_on(self) -> bool:
        """Whether more seems to come behind what the last window heard."""
        last = self._last
        if last is None or last.refusal is not None:
            return False
        return last.goes_on(self._rules.commit.sure)

    def _unheard(self, segment: OpenSegment) -> int:
        """How many samples no window has covered; none in a pause, which a last window covers."""
        if self._endpointer.is_silent:
            return 0
        speech = self._endpointer.speech_start * VAD_FRAME_SAMPLES
        return max(0, self._now - max(segment.heard, speech))

    def _has_just_begun(self, sample: int) -> bool:
        """Whether the segment's speech has only begun before a sample."""
        speech = self._endpointer.speech_start * VAD_FRAME_SAMPLES
        return sample - speech < _samples(BEGINNING_S)

    # Segments.

    def _opened(self, start: int, language: str | None = None) -> OpenSegment:
        """A segment whose sound begins at a sample; its language is detected unless known."""
        known = language or self._rules.language
        self._last = None
        segment = OpenSegment(self._segments, start, known, settled=known is not None)
        if known:
            segment.language_probability = 1.0
            self._use_past(segment)
        return segment

    def _use_past(self, segment: OpenSegment) -> None:
        if segment.language == self._past.language:
            segment.context = self._past.before(segment.start_s)

    def _finish(self) -> None:
        """End the open segment once a window has heard all of it: nothing of it may be lost."""
        segment = self._segment
        if segment is None:
            return
        if not segment.ending:
            segment.ending = True
            stopped = self._endpointer.speech_end * VAD_FRAME_SAMPLES
            stopped = max(segment.start, min(stopped, self._sound.end))
            self._tell_voice(segment, "speech_stopped", stopped)
        if self._last is None:
            self._due = Job.PAUSE
        else:
            self._end(segment)

    def _end(self, segment: OpenSegment) -> None:
        """End the segment with the text of its last window, unless that is worth another try."""
        last = self._last
        if last is None:
            return
        if last.tries < MOST_TRIES and self._rules.guards.is_doubtful(last.hypothesis, last.heard):
            self._due = Job.RETRY
            return
        if last.refusal is not None:
            self._drop_tail(segment, last)
        self._free_from = last.running.end
        self._close(segment, last)
        if last.refusal is not None:
            self._past.forget()  # its sound says more than its words

    def _cut(self, segment: OpenSegment, end: int) -> None:
        """End the segment behind its last certain word; the rest opens the next one."""
        last = self._last
        if last is None:
            return
        if last.refusal is not None:
            segment.tail = []
        rest = segment.tail
        middle_s = (segment.start + end) / (2 * SAMPLE_RATE_HZ)
        if segment.last_s < middle_s:
            is_alone = len(rest) == 1 and not segment.committed and rest[0].end_s < middle_s
            segment.commit(1 if is_alone else len(rest) - 1)
            rest = segment.tail
        segment.tail = []
        cut = end
        if segment.committed:
            cut = _samples(segment.last_s)
        elif rest:  # a single word, not long ago: it is heard again
            cut = _samples(max(rest[0].start_s, rest[0].end_s - WORD_S))
        self._free_from = cut
        language = segment.language
        self._close(segment, last)
        self._endpointer.cut(cut // VAD_FRAME_SAMPLES)
        self._segment = self._opened(cut, language)
        self._segment.tail = list(rest)
        self._segment.heard = end

    def _drop_tail(self, segment: OpenSegment, last: Result) -> None:
        """Refuse the uncertain words; of a loop, those heard before it began are kept."""
        if last.refusal == LOOP:
            return
        start_s = segment.last_s or segment.start_s
        text = self._rules.policy.text(last.hypothesis.tokens).strip()
        end_s = last.running.end_s
        self._history.drop(DroppedSegment(start_s, end_s, last.refusal or "", text))
        segment.tail = []

    def _close(self, segment: OpenSegment, last: Result) -> None:
        event = segment.end(last.running.end_s)
        self._segment, self._last = None, None
        if event is not None:
            self._events.append(event)
            self._segments += 1
        if segment.committed:
            self._past.add(segment.committed, segment.language, segment.start_s)
            words = self._rules.policy.decoding.words
            self._history.add(segment.record(last.hypothesis, words=words))
        if segment.ending:
            self._committed()

    # Windows and hypotheses.

    def _run(self, segment: OpenSegment, job: Job) -> Window:
        """Start a window of the open segment, of all its sound so far."""
        last, end = self._last, self._now
        if job is Job.RETRY and last is not None:
            end = last.running.end
            if last.tries == 1:
                segment.context = Context()
        tentative = job is Job.PREVIEW and not segment.committed and self._has_just_begun(end)
        most_s = self._rules.context.window_s
        span = segment.context.span(
            segment.committed,
            segment.start_s,
            end / SAMPLE_RATE_HZ,
            min(most_s, TENTATIVE_WINDOW_S) if tentative else most_s,
        )
        start = _samples(span.start_s)
        decoding = self._decoding(segment, job, span, end)
        mark: tuple[int, ...] = ()
        if span.known and not segment.committed:
            mark = segment.mark or (segment.context.mark if tentative else ())
        window = Window(
            self._sound.between(start, end),
            start / SAMPLE_RATE_HZ,
            self._options.behind_mark(decoding, mark),
            index=self._windows,
            interim=job is Job.PREVIEW,
        )
        self._windows += 1
        self._running = Running(job, window, end, mark, tentative)
        return window

    def _decoding(self, segment: OpenSegment, job: Job, span: Span, end: int) -> DecodingOptions:
        """The options of a window until sample ``end``."""
        last, sound_s = self._last, (end - segment.start) / SAMPLE_RATE_HZ
        thorough = job is not Job.PREVIEW or self._is_to_check(segment)
        decoding = self._options.first(
            segment, span.known, self._past.language, sound_s, thorough=thorough
        )
        if job is Job.RETRY and last is not None:
            return self._options.again(decoding, last.tries)
        return decoding

    def _is_to_check(self, segment: OpenSegment) -> bool:
        """Whether a preview is worth more work, and there is time for it."""
        late = self._unheard(segment) >= LATE_STEPS * _samples(self._rules.step_s)
        now_s = self._now / SAMPLE_RATE_HZ
        sound_s = now_s - segment.start_s
        return not late and self._rules.commit.must_check(segment.tail, now_s, sound_s)

    def _hear(self, segment: OpenSegment, running: Running, hypothesis: Hypothesis) -> None:
        """Take the words of a window that begins behind the committed ones."""
        result = understood(self._rules, segment, running, hypothesis, self._speech)
        if running.job is not Job.PREVIEW:
            self._last = result
        segment.heard = running.end
        if result.refusal is not None:
            self._doubt(segment)
            return
        segment.doubts = 0
        stable, words = 0, result.words
        is_settled = self._settle_language(segment, result)
        if running.job is Job.PREVIEW and not words:
            segment.mark = result.mark  # the model has stopped too early: what is shown stays
            return
        if is_settled and not running.tentative:
            earlier, idle_steps = segment.tail, segment.idle_steps
            heard_s, sound_s = running.end_s, running.end_s - segment.start_s
            stable = self._rules.commit.count(words, earlier, heard_s, sound_s, idle_steps)
        self._tell(segment.update(words, stable, running.end_s))
        if running.tentative:
            segment.idle_steps = min(segment.idle_steps, 1)  # nothing could be committed

    def _compare(self, segment: OpenSegment, running: Running, hypothesis: Hypothesis) -> None:
        """Take the hypothesis of a further try if it is better."""
        last = self._last
        if last is None:
            return
        result = understood(self._rules, segment, running, hypothesis, self._speech)
        rank, tries = self._rules.guards.rank, last.tries + 1
        if rank(hypothesis, result.heard) <= rank(last.hypothesis, last.heard):
            self._last = replace(last, tries=tries)
            return
        self._last = replace(result, tries=tries)
        if result.refusal is None:
            self._settle_language(segment, result)
            self._tell(segment.update(result.words, 0, running.end_s))

    def _doubt(self, segment: OpenSegment) -> None:
        segment.doubts += 1
        if segment.doubts >= MOST_DOUBTS:
            segment.context = Context()
            self._past.forget()

    def _settle_language(self, segment: OpenSegment, result: Result) -> bool:
        """Whether the segment's language is certain; until then no word may stay."""
        if segment.settled:
            return True
        segment.language = result.hypothesis.language
        segment.language_probability = result.hypothesis.language_probability
        probable = segment.language_probability >= CERTAIN_LANGUAGE
        segment.settled = probable or result.heard.sound_s >= CERTAIN_AFTER_S
        if segment.settled:
            self._use_past(segment)
        return segment.settled

    def _tell_voice(self, segment: OpenSegment, kind: VoiceEventType, sample: int) -> None:
        if self._rules.voice_events:
            segment.told = kind == "speech_stopped"
            self._events.append(segment.voice(kind, sample / SAMPLE_RATE_HZ))

    def _tell(self, event: LiveEvent | None) -> None:
        if event is not None:
            self._events.append(event)


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)
