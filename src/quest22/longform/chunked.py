"""Long sound in windows of fixed length that overlap: all run at once, joined at the end.

The method and its results are those of Transformers'
``pipeline("automatic-speech-recognition", chunk_length_s=30, stride_length_s=5)``: the same
windows, and from the same hypotheses the same text, but for white space at its ends. Beyond it:

* a window whose model asks to go on from a later time is run again from there only while there is
  sound; Transformers goes on into the padding of a short window and may make up words;
* segments follow the model's timestamps also inside overlaps and in second passes, have an end
  each, lie within the clip and never overlap; they exist without timestamps too, one a window.

A window whose text is not believed is heard again at the next temperature, if there are several;
what is still taken for silence or made up is left out and put down. Every window is prompted
alike, by the initial prompt, but for the prefix of the first. Knows nothing of engines and files.
"""

from __future__ import annotations

from dataclasses import replace

from quest22.errors import ClipError
from quest22.longform.hallucination import NO_SPEECH, dropped
from quest22.longform.languages import LanguageSpan, prevailing_language
from quest22.longform.packed import PackingChunker
from quest22.longform.policy import DecodingPolicy
from quest22.longform.segments import Segmenter
from quest22.longform.stitching import merge
from quest22.longform.transcript import confidence
from quest22.longform.utterances import text_tokens
from quest22.longform.window_passes import Vocabulary, WindowPasses
from quest22.longform.windowing import Chunk, Chunker, StrideLengths, WindowChunker
from quest22.records import (
    SAMPLE_RATE_HZ,
    Alignment,
    Clip,
    DroppedSegment,
    Hypothesis,
    Samples,
    Transcript,
    Window,
)
from quest22.settings import DecodingSettings, HallucinationSettings, LongFormSettings


class ChunkedStrategy:
    """Opens a :class:`ChunkedClip` for each clip, all with the same settings.

    ``packed``: each block of sound is a stretch of speech, and windows are packed of whole ones
    instead of overlapping. ``tokens`` is the checkpoint's
    :class:`quest22.checkpoint.tokens.Tokens`. Raises :class:`quest22.errors.UsageError` where the
    strides leave nothing of a window.
    """

    def __init__(
        self,
        settings: LongFormSettings,
        decoding: DecodingSettings,
        tokens: Vocabulary,
        guards: HallucinationSettings | None = None,
        *,
        packed: bool = False,
    ) -> None:
        self._packed = packed
        self._lengths = StrideLengths.of(settings)
        self._manner = DecodingPolicy.of(
            decoding, guards or HallucinationSettings(), tokens, (0.0,)
        )

    def open(self, clip: Clip) -> ChunkedClip:
        return ChunkedClip(clip, self._cutter(), self._manner)

    def _cutter(self) -> WindowChunker:
        return PackingChunker(self._lengths.chunk) if self._packed else Chunker(self._lengths)


class ChunkedClip:
    """One clip between sound and transcript; see :class:`quest22.protocols.LongForm`.

    Holds the sound of one window, and the tokens of all.
    """

    def __init__(self, clip: Clip, cutter: WindowChunker, manner: DecodingPolicy) -> None:
        self._clip = clip
        self._cutter = cutter
        self._manner = manner
        self._heard: list[WindowPasses] = []
        self._dropped: list[DroppedSegment] = []
        self._held: list[Window] = []
        self._awaited = 0
        self._flushed = False

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block of sound, ``[samples]``; give the windows that are complete."""
        return self._release(self._windows(self._cutter.feed(samples)))

    def flush(self) -> list[Window]:
        """Give the last window. Raises :class:`ClipError` if there was no sound at all."""
        self._flushed = True
        if not self._cutter.samples_fed:
            raise ClipError("longform", "it holds no sound: expected at least one sample")
        return self._release(self._windows(self._cutter.flush()))

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take a window's hypothesis; give the window again if it must be heard on, or anew."""
        hotter = self._manner.next_temperature(hypothesis)
        if hotter is not None:
            return [replace(window, decoding=replace(window.decoding, temperature=hotter))]
        heard = self._heard[window.index]
        believed = self._believed(window, hypothesis)
        again = heard.add_result(window, believed, self._manner.tokens.timestamp_begin)
        if again is not None:
            return [again]
        self._awaited -= 1
        return self._release([])

    @property
    def wants_audio(self) -> bool:
        return not self._awaits_language()

    @property
    def finished(self) -> bool:
        return self._flushed and not self._awaited

    def close(self) -> Transcript:
        """Join what was heard into the clip's transcript."""
        duration_s = self._cutter.samples_fed / SAMPLE_RATE_HZ
        tokens = self._manner.tokens
        ids = text_tokens(self._heard, tokens)
        kept = merge(ids, self._heard, tokens)
        spoken = [token for stretch in kept for token in ids[stretch.start : stretch.stop].tolist()]
        portions = [LanguageSpan(*heard.language, heard.length) for heard in self._heard]
        language, probability = prevailing_language(portions)
        segmenter = Segmenter(ids, self._heard, tokens, duration_s, self._manner.words)
        segments = segmenter.segments(kept)
        text = tokens.decode(spoken).strip()
        return Transcript(
            key=self._clip.key,
            name=self._clip.name,
            text=text,
            language=language,
            language_probability=probability,
            duration_s=duration_s,
            segments=segments,
            origin=self._clip.origin,
            reference=self._clip.reference,
            columns=self._clip.columns,
            dropped=tuple(sorted(self._dropped, key=lambda each: each.start_s)),
            confidence=confidence(segments, text),
        )

    def _windows(self, cuts: list[Chunk]) -> list[Window]:
        first = len(self._heard)
        self._heard += [WindowPasses.nothing_yet(cut) for cut in cuts]
        self._awaited += len(cuts)
        return [self._window(cut, index) for index, cut in enumerate(cuts, start=first)]

    def _window(self, cut: Chunk, index: int) -> Window:
        preamble = self._manner.preamble
        decoding = self._manner.asked(self._clip, cut.start, preamble.alone(), first=index == 0)
        return Window(cut.samples, cut.start / SAMPLE_RATE_HZ, decoding, index)

    def _awaits_language(self) -> bool:
        """Whether the first window is to tell the language of all, and has not come back."""
        asked = self._manner.multilingual is False and self._manner.decoding.language is None
        return asked and bool(self._heard) and not self._heard[0].passes

    def _release(self, windows: list[Window]) -> list[Window]:
        """The windows that can be heard now; the others wait for the language of the first."""
        self._held += windows
        if self._awaits_language():
            ready = [window for window in self._held if window.index == 0]
            self._held = [window for window in self._held if window.index > 0]
            return ready
        ready, self._held = self._held, []
        if self._manner.multilingual is False:
            return [self._in_clips_language(window) for window in ready]
        return ready

    def _in_clips_language(self, window: Window) -> Window:
        language, _ = self._heard[0].language if window.index else (None, 0.0)
        language = window.decoding.language or language
        return replace(window, decoding=replace(window.decoding, language=language))

    def _believed(self, window: Window, hypothesis: Hypothesis) -> Hypothesis:
        """The hypothesis; without its text if that is not believed, which is put down."""
        whole = self._manner.whole(hypothesis, window)
        reason = self._manner.guard.window_reason(hypothesis, whole)
        if reason is None:
            return hypothesis
        if whole.text.strip() or reason == NO_SPEECH:
            self._dropped.append(dropped(whole, reason))
        alignment = hypothesis.alignment and Alignment((), ())
        return replace(hypothesis, tokens=(), alignment=alignment)
