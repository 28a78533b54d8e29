"""What is shown when: the cues of a transcript. Knows segments and words; no file format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quest22.records import Segment, Transcript
from quest22.settings import CaptionSettings
from quest22.sink.caption_layout import Caption, lay_out
from quest22.sink.sentences import by_sentence

_WORD = re.compile(r"^(\s*)(.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cue:
    """A text and when it is on the screen, in seconds."""

    start_s: float
    end_s: float
    text: str


def caption_segments(transcript: Transcript, settings: CaptionSettings) -> Sequence[Segment]:
    """The segments, as sentences if asked for; the whole text as one where there are none."""
    segments = transcript.segments
    if not segments and transcript.text.strip():
        segments = (Segment(0.0, transcript.duration_s, transcript.text),)
    return list(by_sentence(segments)) if settings.sentences else segments


def cues(transcript: Transcript, settings: CaptionSettings) -> Iterator[Cue]:
    """Words laid out as captions; without words a cue for each segment."""
    segments = caption_segments(transcript, settings)
    if not segments or segments[0].words is None:
        for segment in segments:
            yield Cue(segment.start_s, segment.end_s, _safe(segment.text))
        return
    for caption in lay_out(segments, settings):
        if settings.highlight_words:
            yield from _highlighted(caption)
        else:
            yield Cue(caption[0].start_s, caption[-1].end_s, _shown(caption))


def _highlighted(caption: Caption) -> Iterator[Cue]:
    """A cue for each word, which is underlined, and one for each pause, as in openai/whisper."""
    last_s = caption[0].start_s
    for place, word in enumerate(caption):
        if round(last_s * 1000) != round(word.start_s * 1000):
            yield Cue(last_s, word.start_s, _shown(caption))
        yield Cue(word.start_s, word.end_s, _shown(caption, place))
        last_s = word.end_s


def _shown(caption: Caption, underlined: int | None = None) -> str:
    texts = [word.text.replace("-->", "->") for word in caption]
    if underlined is not None:
        texts[underlined] = _WORD.sub(r"\1<u>\2</u>", texts[underlined], count=1)
    return _safe("".join(texts))


def _safe(text: str) -> str:
    """Text that cannot break the format: no arrow of a time line, no empty line inside."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return "\n".join(lines).replace("-->", "->")
