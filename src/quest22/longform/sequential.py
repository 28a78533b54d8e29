"""Transcribes long audio window by window: each begins where the timestamps of the last one end.

The algorithm, and thus text and segments, are those of ``transcribe`` in openai/whisper: seek by
timestamps, previous text as a prompt, temperature fallback, skipped silence, ``clip_timestamps``.
Unlike there, segments without text are omitted, and none extends beyond the clip. Each clip has one
window running at a time; batches consist of many clips' windows.

openai/whisper normalises features by the loudest frame of the whole clip.

To avoid holding a whole recording, the loudest of all frames so far and of the next five minutes is
used here, which is the same for clips of up to five minutes. The language is detected in the window
that is decoded, not in a separate one, and again in the next one until it is certain enough.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from quest22.decoding.fallback import REFERENCE_TEMPERATURES, compression_ratio
from quest22.decoding.words import TokenTimes, WordTimer, last_word_end
from quest22.errors import ClipError, EngineError
from quest22.longform.clip_language import ClipLanguage
from quest22.longform.hallucination import (
    HALLUCINATION,
    NO_SPEECH,
    SilenceContext,
    drop_in_silence,
    dropped,
)
from quest22.longform.policy import DecodingPolicy, PreviousText
from quest22.longform.timestamp_segments import TimestampSegment, timestamp_segments
from quest22.longform.transcript import LanguageSpan, build_transcript, prevailing_language
from quest22.longform.window_passes import FRAMES_PER_TIMESTAMP, Vocabulary
from quest22.protocols import FrameStream
from quest22.records import (
    FRAMES_PER_S,
    SAMPLE_RATE_HZ,
    WINDOW_S,
    Clip,
    DroppedSegment,
    Hypothesis,
    Partial,
    Samples,
    Segment,
    Transcript,
    Window,
)
from quest22.settings import DecodingSettings, HallucinationSettings, LongFormSettings

WINDOW_FRAMES = round(WINDOW_S * FRAMES_PER_S)
DYNAMIC_RANGE = np.float32(8.0)

Frames = NDArray[np.float32]

LOOK_AHEAD_FRAMES = 300 * FRAMES_PER_S
MAX_WINDOW_TOKENS = 224
"""In a window: half of the decoder's positions, as in openai/whisper."""

NEVER = 1 << 62
"""The end of a span that extends to the end of the clip."""


class FeatureBuffer:
    """Frames by their number in the clip: log10 of mel power, ``[mel bins, frames]``."""

    def __init__(self) -> None:
        self._parts: list[Frames] = []
        self._first = 0
        self._peak = np.float32(-np.inf)
        self.total = 0

    def add(self, frames: Frames) -> None:
        """Add the next frames of the clip."""
        if frames.shape[1]:
            self._parts.append(frames)
            self._peak = max(self._peak, frames.max())
            self.total += frames.shape[1]

    def drop_before(self, frame: int) -> None:
        """Drop the frames before this one, which are no longer needed."""
        while self._parts and self._first + self._parts[0].shape[1] <= frame:
            self._first += self._parts.pop(0).shape[1]

    def window(self, first: int, count: int) -> Frames:
        """Features of frames from ``first`` on, ``[mel bins, 3000]``, padded with zeros.

        Normalised as :class:`quest22.audio.log_mel.LogMel` does, but by the loudest frame
        added so far.
        """
        features = np.zeros((len(self._parts[0]), WINDOW_FRAMES), np.float32)
        start = self._first
        for part in self._parts:
            frames = part[:, max(first - start, 0) : max(first + count - start, 0)]
            column = max(start - first, 0)
            normalised = (np.maximum(frames, self._peak - DYNAMIC_RANGE) + 4) / 4
            features[:, column : column + frames.shape[1]] = normalised
            start += part.shape[1]
        return features


class SequentialStrategy:
    """Opens a :class:`SequentialClip` for each clip; ``frames`` opens a stream of log-mel frames.

    ``tokens`` is the checkpoint's :class:`quest22.checkpoint.tokens.Tokens`. ``by_words``: if there
    are words, they say where the next window begins, as in openai/whisper.
    """

    def __init__(
        self,
        settings: LongFormSettings,
        decoding: DecodingSettings,
        tokens: Vocabulary,
        hallucination: HallucinationSettings,
        frames: Callable[[], FrameStream],
        *,
        by_words: bool = True,
    ) -> None:
        decoding = replace(decoding, max_new_tokens=decoding.max_new_tokens or MAX_WINDOW_TOKENS)
        self._policy = DecodingPolicy.of(decoding, hallucination, tokens, REFERENCE_TEMPERATURES)
        self._silence_threshold_s = hallucination.hallucination_silence_threshold
        self._spans = clip_spans(settings.clip_timestamps)
        self._frames = frames
        self._by_words = by_words

    def open(self, clip: Clip) -> SequentialClip:
        return SequentialClip(
            clip,
            self._frames(),
            self._policy,
            self._spans,
            self._silence_threshold_s,
            by_words=self._by_words,
        )


class SequentialClip:
    """One clip; see :class:`quest22.protocols.LongForm`.

    Holds the frames of five minutes, and the tokens of all. ``spans`` are transcribed, in frames;
    ``silence_threshold_s`` is ``hallucination_silence_threshold``.
    """

    def __init__(
        self,
        clip: Clip,
        frames: FrameStream,
        policy: DecodingPolicy,
        spans: Sequence[tuple[int, int]],
        silence_threshold_s: float | None,
        *,
        by_words: bool = True,
    ) -> None:
        self._clip = clip
        self._frames = frames
        self._policy = policy
        self._silence_threshold_s = silence_threshold_s
        self._seeks_by_words = by_words
        self._features = FeatureBuffer()
        self._spans = deque(spans)
        self._seek = spans[0][0]
        self._previous = PreviousText(policy.prompt_context)
        self._detected: Hypothesis | None = None  # the one that determines the window's language
        self._language = ClipLanguage(policy.decoding.detection)
        self._segments: list[Segment] = []
        self._dropped: list[DroppedSegment] = []
        self._language_spans: list[LanguageSpan] = []
        self._last_speech_s = 0.0
        self._samples = 0
        self._windows = 0
        self._flushed = False
        self._running = False

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block of audio, ``[samples]``; return a window if one can run."""
        self._samples += len(samples)
        self._features.add(self._frames.feed(samples))
        return self._next()

    def flush(self) -> list[Window]:
        """Return a window if one was waiting. Raises :class:`ClipError` if there was no audio."""
        if not self._samples:
            raise ClipError("longform", "it holds no sound: expected at least one sample")
        self._flushed = True
        self._features.add(self._frames.flush())
        return self._next()

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take the hypothesis; return the window again if it is not accepted, else the next one."""
        if self._detected is None and hypothesis.language is not None:
            self._detected = hypothesis
        temperature = self._policy.next_temperature(hypothesis)
        if temperature is not None:
            decoding = replace(window.decoding, temperature=temperature)
            if self._detected is not None:
                decoding = replace(decoding, language=self._detected.language)
            return [replace(window, decoding=decoding)]
        self._running = False
        self._take(window, hypothesis)
        return self._next()

    @property
    def wants_audio(self) -> bool:
        return not (self._flushed or self._running) and not self._can_go_on()

    @property
    def finished(self) -> bool:
        return self._flushed and not self._running

    def partial(self) -> Partial:
        """All segments so far, none of which will change."""
        return Partial(tuple(self._clipped_segments()))

    def close(self) -> Transcript:
        tokens = [token for segment in self._segments for token in segment.tokens]
        return build_transcript(
            self._clip,
            duration_s=self._samples / SAMPLE_RATE_HZ,
            text=self._policy.text(tokens).strip(),
            segments=self._clipped_segments(),
            language=prevailing_language(self._language_spans),
            dropped=self._dropped,
        )

    def _clipped_segments(self) -> list[Segment]:
        duration_s = self._samples / SAMPLE_RATE_HZ
        return [within(segment, duration_s) for segment in self._segments]

    def _can_go_on(self) -> bool:
        """Whether there is enough audio for the next window, if there is one."""
        far_enough = self._features.total >= self._seek + LOOK_AHEAD_FRAMES
        return bool(self._spans) and (self._flushed or far_enough)

    def _next(self) -> list[Window]:
        end = self._end_of_span()
        self._features.drop_before(min(self._seek, end))
        if self._running or not self._can_go_on():
            return []
        self._running = True
        return [self._window(min(WINDOW_FRAMES, end - self._seek))]

    def _end_of_span(self) -> int:
        """The end of the current span; drops those before it."""
        sound = self._features.total if self._flushed else NEVER
        while self._spans and self._seek >= min(self._spans[0][1], sound):
            self._spans.popleft()
            self._seek = self._spans[0][0] if self._spans else NEVER
        return min(self._spans[0][1], sound) if self._spans else NEVER

    def _window(self, count: int) -> Window:
        self._detected = None if self._policy.multilingual else self._language.settled
        decoding = self._policy.window_options(self._previous.prompt(), first=not self._windows)
        if self._detected is not None:
            decoding = replace(decoding, language=self._detected.language)
        self._windows += 1
        return Window(
            samples=np.empty(0, np.float32),
            start_s=self._seek / FRAMES_PER_S,
            decoding=decoding,
            index=self._windows - 1,
            features=self._features.window(self._seek, count),
            frames=count,
        )

    def _take(self, window: Window, hypothesis: Hypothesis) -> None:
        """Keep the accepted segments of a window, and seek to the start of the next one."""
        detected = self._detected or hypothesis
        self._language.add(detected)
        language = (detected.language, detected.language_probability)
        self._language_spans.append(LanguageSpan(*language, window.frames))
        if self._policy.fallback.is_silence(hypothesis):
            whole = TimestampSegment(0, window.frames, hypothesis.tokens)
            self._dropped.append(dropped(self._segment(whole, hypothesis), NO_SPEECH))
            self._seek += window.frames
            return
        begin = self._policy.tokens.timestamp_begin
        parts = timestamp_segments(hypothesis.tokens, begin, window.frames)
        segments = [self._segment(part, hypothesis) for part in parts.segments]
        seek = self._seek + max(parts.advance, FRAMES_PER_TIMESTAMP)
        timer = self._policy.word_timer
        if timer is not None and self._seeks_by_words:
            segments = self._with_words(segments, hypothesis, timer)
            segments, seek = self._by_words(segments, window, seek, parts.ended_alone)
        accepted = [segment for segment in segments if self._is_accepted(segment)]
        if timer is not None and not self._seeks_by_words:
            accepted = self._with_words_of(accepted, segments, hypothesis, timer)
        self._segments += accepted
        tokens = [token for segment in accepted for token in segment.tokens]
        self._previous.add(tokens, hypothesis.temperature)
        self._seek = seek

    def _with_words(
        self, segments: list[Segment], hypothesis: Hypothesis, timer: WordTimer
    ) -> list[Segment]:
        if hypothesis.alignment is None:
            raise EngineError("the engine returned no word timestamps: expected an alignment")
        times = TokenTimes.of(hypothesis.alignment, self._seek / FRAMES_PER_S)
        language = (self._detected or hypothesis).language
        return timer.add_words(segments, times, language, self._last_speech_s)

    def _with_words_of(
        self,
        accepted: list[Segment],
        segments: list[Segment],
        hypothesis: Hypothesis,
        timer: WordTimer,
    ) -> list[Segment]:
        """Those of a window's segments that were accepted, with words but as they were chosen."""
        timed = zip(segments, self._with_words(segments, hypothesis, timer), strict=True)
        kept = [
            with_words for segment, with_words in timed if any(segment is each for each in accepted)
        ]
        self._last_speech_s = speech_end(kept) if kept else self._last_speech_s
        return kept

    def _by_words(
        self, segments: list[Segment], window: Window, seek: int, ended_alone: bool
    ) -> tuple[list[Segment], int]:
        """The remaining segments and the next seek position, now that words have times."""
        speech_end_s = speech_end(segments)
        if not ended_alone and speech_end_s > window.start_s:
            seek = round(speech_end_s * FRAMES_PER_S)
        if self._silence_threshold_s is not None:
            context = self._silence_context(window, self._silence_threshold_s)
            short_of_end = context.full_end_s - speech_end_s <= context.threshold_s
            if not ended_alone and speech_end_s > window.start_s and short_of_end:
                seek = self._seek + window.frames
            kept = drop_in_silence(segments, context)
            made_up = [segment for segment in segments[kept.count :] if segment.text.strip()]
            self._dropped += [dropped(segment, HALLUCINATION) for segment in made_up]
            segments = segments[: kept.count]
            seek = seek if kept.seek is None else max(kept.seek, self._seek + 1)
        self._last_speech_s = speech_end(segments) if segments else self._last_speech_s
        return segments, seek

    def _silence_context(self, window: Window, threshold_s: float) -> SilenceContext:
        return SilenceContext(
            start_s=window.start_s,
            duration_s=window.duration_s,
            last_speech_s=self._last_speech_s,
            clip_s=self._features.total / FRAMES_PER_S,
            threshold_s=threshold_s,
        )

    def _is_accepted(self, segment: Segment) -> bool:
        """Whether a segment has text that is not hallucinated; hallucinations are recorded."""
        if segment.start_s == segment.end_s or not segment.text.strip():
            return False
        reason = self._policy.hallucination.reason(segment)
        if reason is not None:
            self._dropped.append(dropped(segment, reason))
        return reason is None

    def _segment(self, part: TimestampSegment, hypothesis: Hypothesis) -> Segment:
        detected = self._detected or hypothesis
        return Segment(
            start_s=(self._seek + part.start) / FRAMES_PER_S,
            end_s=(self._seek + part.end) / FRAMES_PER_S,
            text=self._policy.text(part.tokens),
            tokens=part.tokens,
            avg_logprob=hypothesis.avg_logprob,
            no_speech_prob=hypothesis.no_speech_prob,
            compression_ratio=compression_ratio(self._policy.text(hypothesis.tokens).strip()),
            temperature=hypothesis.temperature,
            language=detected.language,
            language_probability=detected.language_probability,
        )


def clip_spans(clip_timestamps: tuple[float, ...]) -> tuple[tuple[int, int], ...]:
    """Converts starts and ends in seconds to frames; without any, the whole clip."""
    points = [round(time_s * FRAMES_PER_S) for time_s in clip_timestamps] or [0]
    ends = [*points[1::2], NEVER] if len(points) % 2 else points[1::2]
    return tuple(zip(points[::2], ends, strict=True))


def within(segment: Segment, duration_s: float) -> Segment:
    """A segment whose times lie within the clip."""
    start_s, end_s = min(segment.start_s, duration_s), min(segment.end_s, duration_s)
    return replace(segment, start_s=start_s, end_s=end_s)


def speech_end(segments: Sequence[Segment]) -> float:
    """The end of the last word, or of the last segment if there are no words."""
    last = last_word_end(segments)
    return segments[-1].end_s if last is None else last
