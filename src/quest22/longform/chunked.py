"""Transcribes long audio in overlapping windows of fixed length, joined at the end.

The method and its results are those of Transformers' ``pipeline("automatic-speech-recognition",
chunk_length_s=30, stride_length_s=5)``: the same windows and, for the same hypotheses, the same
text apart from white space at its ends. Differences:

* a window that the model leaves unfinished is run again from that time only while there is audio;
  Transformers continues into the padding of a short window and may hallucinate words;
* segments follow the model's timestamps also inside overlaps and in second passes, always have an
  end, lie within the clip and never overlap; without timestamps there is one segment per window.

A window whose hypothesis is not accepted is decoded again at the next temperature, if there are
several; text that still counts as silence or hallucination is dropped and recorded. Every window
has the same prompt; the first one also has the prefix. Knows nothing of engines and files.
"""

from __future__ import annotations

from dataclasses import replace

from quest22.errors import ClipError
from quest22.longform.clip_language import ClipLanguage
from quest22.longform.hallucination import NO_SPEECH, dropped
from quest22.longform.policy import DecodingPolicy
from quest22.longform.segments import SegmentBuilder
from quest22.longform.transcript import LanguageSpan, build_transcript, prevailing_language
from quest22.longform.window_passes import Vocabulary, WindowPasses
from quest22.longform.windowing import (
    Chunk,
    Chunker,
    PackingChunker,
    StrideLengths,
    WindowChunker,
)
from quest22.records import (
    SAMPLE_RATE_HZ,
    Alignment,
    Clip,
    DroppedSegment,
    Hypothesis,
    Partial,
    Samples,
    Transcript,
    Window,
)
from quest22.settings import DecodingSettings, HallucinationSettings, LongFormSettings


class ChunkedStrategy:
    """Opens a :class:`ChunkedClip` for each clip, all with the same settings.

    ``packed``: each block of audio is a span of speech, and windows consist of whole spans instead
    of overlapping. ``tokens`` is the checkpoint's :class:`quest22.checkpoint.tokens.Tokens`. Raises
    :class:`quest22.errors.UsageError` if the strides are too long for the window.
    """

    def __init__(
        self,
        settings: LongFormSettings,
        decoding: DecodingSettings,
        tokens: Vocabulary,
        hallucination: HallucinationSettings | None = None,
        *,
        packed: bool = False,
    ) -> None:
        self._packed = packed
        self._lengths = StrideLengths.of(settings)
        self._policy = DecodingPolicy.of(
            decoding, hallucination or HallucinationSettings(), tokens, (0.0,)
        )

    def open(self, clip: Clip) -> ChunkedClip:
        return ChunkedClip(clip, self._chunker(), self._policy)

    def _chunker(self) -> WindowChunker:
        return PackingChunker(self._lengths.chunk) if self._packed else Chunker(self._lengths)


class ChunkedClip:
    """One clip; see :class:`quest22.protocols.LongForm`.

    Holds the audio of one window, and the tokens of all.
    """

    def __init__(self, clip: Clip, chunker: WindowChunker, policy: DecodingPolicy) -> None:
        self._clip = clip
        self._chunker = chunker
        self._policy = policy
        self._windows: list[WindowPasses] = []
        self._segments = SegmentBuilder(policy.tokens, policy.word_timer)
        self._joined = 0  # windows that the builder has taken
        self._dropped: list[DroppedSegment] = []
        self._waiting: list[Window] = []  # for the language of the clip
        self._language = ClipLanguage(policy.decoding.detection)
        self._detecting = False  # whether a window is out that may determine it
        self._running = 0
        self._flushed = False

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block of audio, ``[samples]``; return the complete windows."""
        return self._release(self._new_windows(self._chunker.feed(samples)))

    def flush(self) -> list[Window]:
        """Return the last window. Raises :class:`ClipError` if there was no audio at all."""
        self._flushed = True
        if not self._chunker.samples_fed:
            raise ClipError("longform", "it holds no sound: expected at least one sample")
        return self._release(self._new_windows(self._chunker.flush()))

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take a window's hypothesis; return the window again if it needs another pass."""
        temperature = self._policy.next_temperature(hypothesis)
        if temperature is not None:
            return [replace(window, decoding=replace(window.decoding, temperature=temperature))]
        accepted = self._accepted(window, hypothesis)
        passes = self._windows[window.index]
        next_pass = passes.add_result(window, accepted, self._policy.tokens.timestamp_begin)
        self._language.add(hypothesis)
        self._detecting = False
        if next_pass is not None:
            return [next_pass]
        self._running -= 1
        return self._release([])

    @property
    def wants_audio(self) -> bool:
        return not self._detecting

    @property
    def finished(self) -> bool:
        return self._flushed and not self._running

    def partial(self) -> Partial:
        """The transcript up to the first window that has not come back."""
        self._join()
        return self._segments.partial()

    def close(self) -> Transcript:
        """Join all windows into the clip's transcript."""
        self._join()
        text, segments = self._segments.finish()
        spans = [LanguageSpan(*window.language, window.length) for window in self._windows]
        return build_transcript(
            self._clip,
            duration_s=self._chunker.samples_fed / SAMPLE_RATE_HZ,
            text=text.strip(),
            segments=segments,
            language=prevailing_language(spans),
            dropped=sorted(self._dropped, key=lambda each: each.start_s),
        )

    def _join(self) -> None:
        """Make segments of the complete windows before the first incomplete one."""
        while self._joined < len(self._windows) and self._windows[self._joined].complete:
            self._segments.add(self._windows[self._joined])
            self._joined += 1

    def _new_windows(self, chunks: list[Chunk]) -> list[Window]:
        first = len(self._windows)
        self._windows += [WindowPasses.of(chunk) for chunk in chunks]
        self._running += len(chunks)
        return [self._window(chunk, index) for index, chunk in enumerate(chunks, start=first)]

    def _window(self, chunk: Chunk, index: int) -> Window:
        prompt = self._policy.prompt_context.alone()
        decoding = self._policy.window_options(prompt, first=index == 0)
        return Window(chunk.samples, chunk.start / SAMPLE_RATE_HZ, decoding, index)

    def _release(self, windows: list[Window]) -> list[Window]:
        """The windows that can run now.

        If all are to be in one language that is not given, they run one by one until it is settled.
        """
        self._waiting += windows
        if self._policy.multilingual is not False or self._policy.decoding.language is not None:
            ready, self._waiting = self._waiting, []
            return ready
        if (settled := self._language.settled) is not None:
            ready, self._waiting = self._waiting, []
            options = [replace(each.decoding, language=settled.language) for each in ready]
            return [
                replace(window, decoding=decoding)
                for window, decoding in zip(ready, options, strict=True)
            ]
        if self._detecting or not self._waiting:
            return []
        self._detecting = True
        return [self._waiting.pop(0)]

    def _accepted(self, window: Window, hypothesis: Hypothesis) -> Hypothesis:
        """The hypothesis, without its text if that is silence or hallucination; records it."""
        segment = self._policy.as_segment(hypothesis, window)
        reason = self._policy.hallucination.window_reason(hypothesis, segment)
        if reason is None:
            return hypothesis
        if segment.text.strip() or reason == NO_SPEECH:
            self._dropped.append(dropped(segment, reason))
        alignment = hypothesis.alignment and Alignment((), ())
        return replace(hypothesis, tokens=(), alignment=alignment)
