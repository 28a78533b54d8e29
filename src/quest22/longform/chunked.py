"""Long sound in windows of fixed length that overlap: all run at once, joined at the end.

The method and its results are those of Transformers'
``pipeline("automatic-speech-recognition", chunk_length_s=30, stride_length_s=5)``: the same
windows, and from the same hypotheses the same text, but for white space at its ends. Beyond it:

* a window whose model asks to go on from a later time is run again from there only while there is
  sound; Transformers goes on into the padding of a short window and may make up words;
* segments follow the model's timestamps also inside overlaps and in second passes, have an end
  each, lie within the clip and never overlap; they exist without timestamps too, one a window.

As there, silence is left to the model: no window is dropped for its no-speech probability.
Knows nothing of engines and files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from quest22.decoding.words import WordTimer
from quest22.errors import ClipError
from quest22.longform.merge import merge
from quest22.longform.passes import Heard, Vocabulary
from quest22.longform.segments import Segmenter
from quest22.longform.stride import Cut, Cutter, StrideLengths
from quest22.longform.utterances import text_tokens
from quest22.records import (
    SAMPLE_RATE_HZ,
    Clip,
    Decoding,
    Hypothesis,
    Samples,
    Transcript,
    Window,
)
from quest22.settings import DecodingSettings, LongFormSettings


class ChunkedStrategy:
    """Opens a :class:`ChunkedClip` for each clip, all with the same settings.

    ``tokens`` is the checkpoint's :class:`quest22.checkpoint.tokens.Tokens`. Raises
    :class:`quest22.errors.UsageError` where the strides leave nothing of a window.
    """

    def __init__(
        self, settings: LongFormSettings, decoding: DecodingSettings, tokens: Vocabulary
    ) -> None:
        self._lengths = StrideLengths.of(settings)
        self._tokens = tokens
        self._decoding = Decoding(
            language=decoding.language,
            task=decoding.task,
            timestamps=decoding.timestamps,
            max_new_tokens=decoding.max_new_tokens,
            words=decoding.word_timestamps,
        )
        self._words = WordTimer.of(decoding, tokens)

    def open(self, clip: Clip) -> ChunkedClip:
        return ChunkedClip(clip, Cutter(self._lengths), self._decoding, self._tokens, self._words)


class ChunkedClip:
    """One clip between sound and transcript; see :class:`quest22.stages.LongForm`.

    Holds the sound of one window, and the tokens of all.
    """

    def __init__(
        self,
        clip: Clip,
        cutter: Cutter,
        decoding: Decoding,
        tokens: Vocabulary,
        words: WordTimer | None = None,
    ) -> None:
        self._clip = clip
        self._cutter = cutter
        self._decoding = decoding
        self._tokens = tokens
        self._words = words
        self._heard: list[Heard] = []
        self._awaited = 0
        self._flushed = False

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block of sound, ``[samples]``; give the windows that are complete."""
        return self._windows(self._cutter.feed(samples))

    def flush(self) -> list[Window]:
        """Give the last window. Raises :class:`ClipError` if there was no sound at all."""
        self._flushed = True
        if not self._cutter.samples_fed:
            raise ClipError("longform", "it holds no sound: expected at least one sample")
        return self._windows(self._cutter.flush())

    def accept(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take a window's hypothesis; give the window again if it must be heard on."""
        heard = self._heard[window.index]
        again = heard.accept(window, hypothesis, self._tokens.timestamp_begin)
        if again is not None:
            return [again]
        self._awaited -= 1
        return []

    @property
    def listens(self) -> bool:
        return True

    @property
    def finished(self) -> bool:
        return self._flushed and not self._awaited

    def close(self) -> Transcript:
        """Join what was heard into the clip's transcript."""
        duration_s = self._cutter.samples_fed / SAMPLE_RATE_HZ
        ids = text_tokens(self._heard, self._tokens)
        kept = merge(ids, self._heard, self._tokens)
        spoken = [token for stretch in kept for token in ids[stretch.start : stretch.stop].tolist()]
        language, probability = prevailing_language(self._heard)
        segmenter = Segmenter(ids, self._heard, self._tokens, duration_s, self._words)
        return Transcript(
            key=self._clip.key,
            name=self._clip.name,
            text=self._tokens.decode(spoken).strip(),
            language=language,
            language_probability=probability,
            duration_s=duration_s,
            segments=segmenter.segments(kept),
            origin=self._clip.origin,
            reference=self._clip.reference,
            columns=self._clip.columns,
        )

    def _windows(self, cuts: list[Cut]) -> list[Window]:
        first = len(self._heard)
        self._heard += [Heard.nothing_yet(cut) for cut in cuts]
        self._awaited += len(cuts)
        return [
            Window(cut.samples, cut.start / SAMPLE_RATE_HZ, self._decoding, index)
            for index, cut in enumerate(cuts, start=first)
        ]


def prevailing_language(windows: Iterable[Heard]) -> tuple[str | None, float]:
    """The language with the most probable seconds, and its probability over all of them."""
    weights: defaultdict[str | None, float] = defaultdict(float)
    total = 0
    for heard in windows:
        language, probability = heard.language
        weights[language] += probability * heard.length
        total += heard.length
    language = max(weights, key=lambda code: weights[code])
    return language, weights[language] / total
