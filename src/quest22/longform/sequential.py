"""Long sound window after window: each begins where the model's timestamps say the last one ended.

The algorithm, and so text and segments, are those of ``transcribe`` in openai/whisper: seek by
timestamps, the text so far as a prompt, higher temperatures where a text is not believed, silence
skipped, ``clip_timestamps``. Segments without text are left out here, and none lasts beyond the
clip. A clip has one window at a time on its way; batches are made of many clips' windows.

Features are normalised by the loudest frame of the whole clip, as there. So that no recording is
ever held whole, that is the loudest of all that came so far and of five minutes ahead: for clips
of up to five minutes the same.

The language is detected in the window that is decoded, not in one of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from quest22.decoding.fallback import REFERENCE_TEMPERATURES, compression_ratio
from quest22.decoding.words import TokenTimes, WordTimer, last_word_end
from quest22.errors import ClipError, EngineError
from quest22.longform.feature_buffer import WINDOW_FRAMES, FeatureBuffer
from quest22.longform.hallucination import HALLUCINATION, NO_SPEECH, dropped
from quest22.longform.hallucination_silence import SilenceContext, clear
from quest22.longform.languages import LanguageSpan, prevailing_language
from quest22.longform.policy import DecodingPolicy
from quest22.longform.prompt_context import PreviousText
from quest22.longform.timestamp_segments import TimestampSegment, timestamp_segments
from quest22.longform.transcript import confidence
from quest22.longform.window_passes import FRAMES_PER_TIMESTAMP, Vocabulary
from quest22.protocols import FrameStream
from quest22.records import (
    FRAMES_PER_S,
    SAMPLE_RATE_HZ,
    Clip,
    DroppedSegment,
    Hypothesis,
    Samples,
    Segment,
    Transcript,
    Window,
)
from quest22.settings import DecodingSettings, HallucinationSettings, LongFormSettings

LOOK_AHEAD_FRAMES = 300 * FRAMES_PER_S
MOST_TOKENS = 224
"""In a window: half of the decoder's places, as openai/whisper."""

NEVER = 1 << 62
"""The end of a stretch that lasts to the end of the clip."""


class SequentialStrategy:
    """Opens a :class:`SequentialClip` for each clip; ``frames`` makes it a stream of frames."""

    def __init__(
        self,
        settings: LongFormSettings,
        asked: DecodingSettings,
        tokens: Vocabulary,
        guards: HallucinationSettings,
        frames: Callable[[], FrameStream],
    ) -> None:
        asked = replace(asked, max_new_tokens=asked.max_new_tokens or MOST_TOKENS)
        self._manner = DecodingPolicy.of(asked, guards, tokens, REFERENCE_TEMPERATURES)
        self._stretches = stretches(settings.clip_timestamps)
        self._frames = frames

    def open(self, clip: Clip) -> SequentialClip:
        return SequentialClip(clip, self._frames(), self._manner, self._stretches)


class SequentialClip:
    """One clip between sound and transcript; see :class:`quest22.protocols.LongForm`.

    Holds the frames of five minutes, and the tokens of all.
    """

    def __init__(
        self,
        clip: Clip,
        frames: FrameStream,
        manner: DecodingPolicy,
        heard: Sequence[tuple[int, int]],
    ) -> None:
        self._clip = clip
        self._frames = frames
        self._manner = manner
        self._shelf = FeatureBuffer()
        self._stretches = deque(heard)
        self._seek = heard[0][0]
        self._previous = PreviousText(manner.preamble)
        self._spoken: Hypothesis | None = None
        self._segments: list[Segment] = []
        self._dropped: list[DroppedSegment] = []
        self._portions: list[LanguageSpan] = []
        self._last_speech_s = 0.0
        self._samples = 0
        self._windows = 0
        self._flushed = False
        self._awaiting = False

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block of sound, ``[samples]``; give a window if one can be heard."""
        self._samples += len(samples)
        self._shelf.add(self._frames.feed(samples))
        return self._next()

    def flush(self) -> list[Window]:
        """Give a window if one was waiting. Raises :class:`ClipError` if there was no sound."""
        if not self._samples:
            raise ClipError("longform", "it holds no sound: expected at least one sample")
        self._flushed = True
        self._shelf.add(self._frames.flush())
        return self._next()

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take the hypothesis; give the window again if it is not believed, else the next."""
        self._spoken = self._spoken or hypothesis
        hotter = self._manner.next_temperature(hypothesis)
        if hotter is not None:
            language = self._spoken.language
            decoding = replace(window.decoding, language=language, temperature=hotter)
            return [replace(window, decoding=decoding)]
        self._awaiting = False
        self._take(window, hypothesis)
        return self._next()

    @property
    def wants_audio(self) -> bool:
        return not (self._flushed or self._awaiting) and not self._can_go_on()

    @property
    def finished(self) -> bool:
        return self._flushed and not self._awaiting

    def close(self) -> Transcript:
        duration_s = self._samples / SAMPLE_RATE_HZ
        language, probability = prevailing_language(self._portions)
        tokens = [token for segment in self._segments for token in segment.tokens]
        text = self._manner.text(tokens).strip()
        return Transcript(
            key=self._clip.key,
            name=self._clip.name,
            text=text,
            language=language,
            language_probability=probability,
            duration_s=duration_s,
            segments=tuple(within(segment, duration_s) for segment in self._segments),
            origin=self._clip.origin,
            reference=self._clip.reference,
            columns=self._clip.columns,
            confidence=confidence(self._segments, text),
            dropped=tuple(self._dropped),
        )

    def _can_go_on(self) -> bool:
        """Whether there is sound enough for the next window, if there is one."""
        far_enough = self._shelf.total >= self._seek + LOOK_AHEAD_FRAMES
        return bool(self._stretches) and (self._flushed or far_enough)

    def _next(self) -> list[Window]:
        end = self._end_of_stretch()
        self._shelf.drop_before(min(self._seek, end))
        if self._awaiting or not self._can_go_on():
            return []
        self._awaiting = True
        return [self._window(min(WINDOW_FRAMES, end - self._seek))]

    def _end_of_stretch(self) -> int:
        """Where the stretch that is being heard ends; those that were heard are done with."""
        sound = self._shelf.total if self._flushed else NEVER
        while self._stretches and self._seek >= min(self._stretches[0][1], sound):
            self._stretches.popleft()
            self._seek = self._stretches[0][0] if self._stretches else NEVER
        return min(self._stretches[0][1], sound) if self._stretches else NEVER

    def _window(self, count: int) -> Window:
        if self._manner.multilingual:
            self._spoken = None
        first = not self._windows
        asked = self._manner.asked(self._clip, self._seek, self._previous.prompt(), first=first)
        language = self._spoken.language if self._spoken else asked.language
        decoding = replace(asked, language=language)
        self._windows += 1
        return Window(
            samples=np.empty(0, np.float32),
            start_s=self._seek / FRAMES_PER_S,
            decoding=decoding,
            index=self._windows - 1,
            features=self._shelf.window(self._seek, count),
            frames=count,
        )

    def _take(self, window: Window, heard: Hypothesis) -> None:
        """Keep what counts of a window, and go on to where the next one begins."""
        spoken = self._spoken or heard
        language = (spoken.language, spoken.language_probability)
        self._portions.append(LanguageSpan(*language, window.frames))
        if self._manner.guard.fallback.is_silence(heard):
            whole = self._segment(TimestampSegment(0, window.frames, heard.tokens), heard)
            self._dropped.append(dropped(whole, NO_SPEECH))
            self._seek += window.frames
            return
        parts = timestamp_segments(heard.tokens, self._manner.tokens.timestamp_begin, window.frames)
        segments = [self._segment(part, heard) for part in parts.slices]
        seek = self._seek + max(parts.advance, FRAMES_PER_TIMESTAMP)
        if self._manner.words is not None:
            segments = self._with_words(segments, heard, self._manner.words)
            segments, seek = self._by_words(segments, window, seek, parts.ended_alone)
        kept = [segment for segment in segments if self._is_kept(segment)]
        self._segments += kept
        self._previous.add([t for segment in kept for t in segment.tokens], heard.temperature)
        self._seek = seek

    def _with_words(
        self, segments: list[Segment], heard: Hypothesis, timer: WordTimer
    ) -> list[Segment]:
        if heard.alignment is None:
            raise EngineError("the engine gave no times of words, which were asked for")
        times = TokenTimes.of(heard.alignment, self._seek / FRAMES_PER_S)
        language = (self._spoken or heard).language
        return timer.add_words(segments, times, language, self._last_speech_s)

    def _by_words(
        self, segments: list[Segment], window: Window, seek: int, ended_alone: bool
    ) -> tuple[list[Segment], int]:
        """The segments that are kept and where to go on, now that words have times."""
        spoken_until_s = speech_end(segments)
        if not ended_alone and spoken_until_s > window.start_s:
            seek = round(spoken_until_s * FRAMES_PER_S)
        threshold_s = self._manner.guard.fallback.thresholds.hallucination_silence_threshold
        if threshold_s is not None:
            place = SilenceContext(
                window.start_s,
                window.duration_s,
                self._last_speech_s,
                self._shelf.total / FRAMES_PER_S,
                threshold_s,
            )
            short_of_end = place.full_end_s - spoken_until_s <= threshold_s
            if not ended_alone and spoken_until_s > window.start_s and short_of_end:
                seek = self._seek + window.frames
            cleared = clear(segments, place)
            made_up = [segment for segment in segments[cleared.kept :] if segment.text.strip()]
            self._dropped += [dropped(segment, HALLUCINATION) for segment in made_up]
            segments = segments[: cleared.kept]
            seek = seek if cleared.seek is None else max(cleared.seek, self._seek + 1)
        self._last_speech_s = speech_end(segments) if segments else self._last_speech_s
        return segments, seek

    def _is_kept(self, segment: Segment) -> bool:
        """Whether a segment holds text that is believed; if it is not, that is put down."""
        if segment.start_s == segment.end_s or not segment.text.strip():
            return False
        reason = self._manner.guard.reason(segment)
        if reason is not None:
            self._dropped.append(dropped(segment, reason))
        return reason is None

    def _segment(self, part: TimestampSegment, heard: Hypothesis) -> Segment:
        spoken = self._spoken or heard
        return Segment(
            start_s=(self._seek + part.start) / FRAMES_PER_S,
            end_s=(self._seek + part.end) / FRAMES_PER_S,
            text=self._manner.text(part.tokens),
            tokens=part.tokens,
            avg_logprob=heard.avg_logprob,
            no_speech_prob=heard.no_speech_prob,
            compression_ratio=compression_ratio(self._manner.text(heard.tokens).strip()),
            temperature=heard.temperature,
            language=spoken.language,
            language_probability=spoken.language_probability,
        )


def stretches(clip_timestamps: tuple[float, ...]) -> tuple[tuple[int, int], ...]:
    """Starts and ends in seconds to frames; without any, all of the clip."""
    points = [round(time_s * FRAMES_PER_S) for time_s in clip_timestamps] or [0]
    ends = [*points[1::2], NEVER] if len(points) % 2 else points[1::2]
    return tuple(zip(points[::2], ends, strict=True))


def within(segment: Segment, duration_s: float) -> Segment:
    """A segment whose times lie within the clip."""
    start_s, end_s = min(segment.start_s, duration_s), min(segment.end_s, duration_s)
    return replace(segment, start_s=start_s, end_s=end_s)


def speech_end(segments: Sequence[Segment]) -> float:
    """Where the last word ends; where there is none, the last segment."""
    last = last_word_end(segments)
    return segments[-1].end_s if last is None else last
