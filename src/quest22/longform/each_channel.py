"""Transcribes each channel of a recording for itself, into one transcript.

Applies to any long form, of which it opens one for each channel. A recording with one channel is
its long form's alone. Knows nothing of engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from math import inf

import numpy as np

from quest22.longform.hallucination import NO_SPEECH
from quest22.longform.transcript import LanguageSpan, confidence, prevailing_language
from quest22.protocols import ConfiguredStrategy, LongForm
from quest22.records import (
    Clip,
    DroppedSegment,
    Hypothesis,
    Partial,
    Samples,
    Segment,
    Transcript,
    Window,
)


class EachChannelStrategy:
    """Opens an :class:`EachChannelClip` for each clip, with long forms of another strategy."""

    def __init__(self, inner: ConfiguredStrategy) -> None:
        self._inner = inner

    def open(self, clip: Clip) -> EachChannelClip:
        return EachChannelClip(lambda: self._inner.open(clip))


class EachChannelClip:
    """One clip; see :class:`quest22.protocols.LongForm`.

    ``open_form`` opens a long form of the clip. The windows of channel c have the numbers c, c + n,
    c + 2n, …, n being the number of channels.
    """

    def __init__(self, open_form: Callable[[], LongForm]) -> None:
        self._open_form = open_form
        self._forms: list[LongForm] = []
        self._windows: dict[Window, tuple[int, Window]] = {}

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block, ``[samples]`` or ``[samples, channels]``."""
        columns = [samples] if samples.ndim == 1 else list(samples.T)
        if not self._forms:
            self._forms = [self._open_form() for _ in columns]
        windows = [
            form.feed(np.ascontiguousarray(column))
            for form, column in zip(self._forms, columns, strict=True)
        ]
        return self._numbered(windows)

    def flush(self) -> list[Window]:
        """The audio has ended; return the windows that waited for more of it."""
        self._forms = self._forms or [self._open_form()]
        return self._numbered([form.flush() for form in self._forms])

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take a window's hypothesis; return the windows that waited for it."""
        channel, own = self._windows.pop(window)
        following = self._forms[channel].add_result(own, hypothesis)
        return self._numbered([[] if form != channel else following for form in range(channel + 1)])

    @property
    def wants_audio(self) -> bool:
        """Only if all channels do, so that no channel's audio waits inside for another's results.

        One that wants none has a window that is not answered, so the clip goes on.
        """
        return all(form.wants_audio for form in self._forms)

    @property
    def finished(self) -> bool:
        return bool(self._forms) and all(form.finished for form in self._forms)

    def partial(self) -> Partial:
        """The transcript so far; segments are committed once no channel can come before them.

        Of more than two channels none are: their marks in captions tell their number, which
        the first segments do not.
        """
        partials = [form.partial() for form in self._forms]
        if len(partials) == 1:
            return partials[0]
        known = in_order([partial.committed for partial in partials])
        ends = [partial.committed[-1].end_s if partial.committed else 0.0 for partial in partials]
        until_s = min(ends) if len(ends) == 2 else -inf
        committed = tuple(segment for segment in known if segment.start_s < until_s)
        rest = [segment.text for segment in known[len(committed) :]]
        interim = " ".join(text.strip() for text in (*rest, *(each.interim for each in partials)))
        return Partial(committed, f" {interim.strip()}" if interim.strip() else "")

    def close(self) -> Transcript:
        """Join the transcripts of all channels."""
        transcripts = [form.close() for form in self._forms]
        return transcripts[0] if len(transcripts) == 1 else joined(transcripts)

    def _numbered(self, of_channels: Iterable[list[Window]]) -> list[Window]:
        """The windows of channels under numbers of their own; remembers which are whose."""
        numbered = []
        for channel, windows in enumerate(of_channels):
            for own in windows:
                window = replace(own, index=own.index * len(self._forms) + channel)
                self._windows[window] = channel, own
                numbered.append(window)
        return numbered


def joined(transcripts: Sequence[Transcript]) -> Transcript:
    """One transcript of a clip from those of its channels; its language is that of most text.

    Each channel has a segment or a span without text, which tells that it was there.
    """
    heard = [each for each in transcripts if each.text] or transcripts
    language = prevailing_language(
        LanguageSpan(each.language, each.language_probability, max(len(each.text), 1))
        for each in heard
    )
    segments = in_order([each.segments for each in transcripts])
    text = "".join(segment.text for segment in segments).strip()
    dropped = chain.from_iterable(map(_dropped, range(len(transcripts)), transcripts))
    return replace(
        transcripts[0],
        text=text,
        language=language[0],
        language_probability=language[1],
        segments=tuple(segments),
        dropped=tuple(sorted(dropped, key=lambda span: span.start_s)),
        confidence=confidence(segments, text),
    )


def in_order(channels: Sequence[Sequence[Segment]]) -> list[Segment]:
    """The segments of all channels by their starts, then by channel, a space between channels."""
    numbered = [
        replace(segment, channel=channel)
        for channel, segments in enumerate(channels)
        for segment in segments
    ]
    ordered: list[Segment] = []
    for segment in sorted(numbered, key=lambda segment: segment.start_s):
        turns = bool(ordered) and ordered[-1].channel != segment.channel
        ordered.append(_spaced(segment) if turns else segment)
    return ordered


def _spaced(segment: Segment) -> Segment:
    """The segment with a space in front."""
    if not segment.text or segment.text[0].isspace():
        return segment
    words = segment.words
    if words:
        words = (replace(words[0], text=f" {words[0].text}"), *words[1:])
    return replace(segment, text=f" {segment.text}", words=words)


def _dropped(channel: int, transcript: Transcript) -> list[DroppedSegment]:
    spans = [replace(span, channel=channel) for span in transcript.dropped]
    if spans or transcript.segments:
        return spans
    return [DroppedSegment(0.0, transcript.duration_s, NO_SPEECH, channel=channel)]
