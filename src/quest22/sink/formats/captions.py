"""The caption formats; txt, srt, vtt, tsv and json in the form of openai/whisper's command.

:mod:`quest22.sink.formats.caption_files` decides where a document is written.

A transcript without segments (timestamps were off) counts as one segment as long as the clip.
``caption_layout`` makes the cues of srt, vtt, lrc and ass; json always holds the model's own
segments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import starmap
from typing import Annotated

from typing_extensions import NotRequired, TypedDict

from quest22.records import FRAMES_PER_S, Segment, Transcript, Word
from quest22.settings import CaptionSettings
from quest22.sink.formats.caption_layout import caption_segments, cues, whole_segments
from quest22.sink.formats.json_values import json_line
from quest22.sink.formats.readable_cues import Cue
from quest22.sink.formats.timed_lines import ass, lrc
from quest22.sink.row_types import (
    Channel,
    ConfidenceRow,
    DamageRow,
    DroppedRow,
    Language,
    LanguageProbability,
    Seconds,
)
from quest22.sink.rows import (
    channel_row,
    confidence_row,
    damage_rows,
    dropped_rows,
    segment_language_row,
)

CaptionWriter = Callable[[Transcript, CaptionSettings], str]
PLAIN = CaptionSettings()
VTT_HEAD = "WEBVTT\n\n"
TSV_HEAD = "start\tend\ttext\n"


class WhisperWord(TypedDict):
    """A word as openai/whisper writes it."""

    word: Annotated[str, "The word, with the space before it."]
    start: Seconds
    end: Seconds
    probability: Annotated[float, "Mean probability of its tokens."]
    channel: NotRequired[Channel]


class SegmentFields(TypedDict):
    """A segment as openai/whisper writes it."""

    id: Annotated[int, "Number of the segment, from 0."]
    seek: Annotated[int, "Its start in frames of 10 ms."]
    start: Seconds
    end: Seconds
    text: str
    tokens: Annotated[list[int], "Token numbers; empty if it was made from rows."]
    temperature: Annotated[float, "At which it was decoded; 0: without chance."]
    avg_logprob: Annotated[float, "Mean log-probability of the tokens."]
    compression_ratio: Annotated[float, "How well the text compresses; loops are above 2."]
    no_speech_prob: Annotated[float, "Probability that nobody speaks."]


class WhisperSegment(SegmentFields):
    """A segment as openai/whisper writes it, with its language and its channel."""

    channel: NotRequired[Channel]
    language: NotRequired[Language]
    language_probability: NotRequired[LanguageProbability]
    words: NotRequired[Annotated[list[WhisperWord], "With `--word-timestamps`."]]


class WhisperDocument(TypedDict):
    """openai/whisper's result object, with further fields."""

    text: Annotated[str, "The transcript."]
    segments: list[WhisperSegment]
    language: Language
    language_probability: NotRequired[LanguageProbability]
    confidence: NotRequired[Annotated[ConfidenceRow, "Left out if nothing was transcribed."]]
    dropped: NotRequired[Annotated[list[DroppedRow], "Spans without text; left out if empty."]]
    damage: NotRequired[Annotated[list[DamageRow], "Sound that is missing; left out if empty."]]


class _WordsField(TypedDict, total=False):
    words: list[WhisperWord]


class _ConfidenceFields(TypedDict, total=False):
    language_probability: float
    confidence: ConfidenceRow


def txt(transcript: Transcript, settings: CaptionSettings = PLAIN) -> str:
    """Plain text, one line for each segment."""
    return "".join(map(txt_line, caption_segments(transcript, settings)))


def txt_line(segment: Segment) -> str:
    """A segment's line of plain text."""
    return f"{segment.text.strip()}\n"


def srt(transcript: Transcript, settings: CaptionSettings = PLAIN) -> str:
    """SubRip: numbered, ``HH:MM:SS,mmm``."""
    return "".join(starmap(srt_cue, enumerate(cues(transcript, settings), start=1)))


def srt_cue(number: int, cue: Cue) -> str:
    """A cue of SubRip; numbers count from 1."""
    return f"{number}\n{_time_span(cue, hours=True, mark=',')}\n{cue.text}\n\n"


def vtt(transcript: Transcript, settings: CaptionSettings = PLAIN) -> str:
    """WebVTT: ``MM:SS.mmm``, with hours only from the first hour on."""
    return VTT_HEAD + "".join(map(vtt_cue, cues(transcript, settings)))


def vtt_cue(cue: Cue) -> str:
    """A cue of WebVTT."""
    return f"{_time_span(cue, hours=False, mark='.')}\n{cue.text}\n\n"


def tsv(transcript: Transcript, settings: CaptionSettings = PLAIN) -> str:
    """Tab-separated: start and end in whole milliseconds, text."""
    return TSV_HEAD + "".join(map(tsv_row, caption_segments(transcript, settings)))


def tsv_row(segment: Segment) -> str:
    """A segment's row of a table."""
    start, end = round(1000 * segment.start_s), round(1000 * segment.end_s)
    return f"{start}\t{end}\t{_one_line(segment.text).replace(chr(9), ' ')}\n"


def json(transcript: Transcript, _settings: CaptionSettings = PLAIN) -> str:
    """openai/whisper's result object: ``text``, ``segments``, ``language``, and further fields."""
    segments = whole_segments(transcript)
    document: WhisperDocument = {
        "text": transcript.text,
        "segments": [_json_segment(index, segment) for index, segment in enumerate(segments)],
        "language": transcript.language,
        **_confidence_fields(transcript),
        **dropped_rows(transcript.dropped),
        **damage_rows(transcript.damage),
    }
    return json_line(document)


CAPTIONS: Mapping[str, CaptionWriter] = {
    "txt": txt,
    "vtt": vtt,
    "srt": srt,
    "tsv": tsv,
    "json": json,
    "lrc": lrc,
    "ass": ass,
}
"""Format name, which is also the file suffix → its writer."""

TIMED = frozenset({"vtt", "srt", "tsv", "json", "lrc", "ass"})
"""Formats that make little sense without timestamps."""


def timestamp(seconds: float, *, hours: bool, mark: str) -> str:
    """``[HH:]MM:SS.mmm``, rounded to milliseconds; hours appear if ``hours``, or from 1 h on.

    >>> timestamp(3725.5, hours=False, mark=",")
    '01:02:05,500'
    """
    milliseconds = round(max(seconds, 0.0) * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    full_hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    leading = f"{full_hours:02d}:" if hours or full_hours else ""
    return f"{leading}{minutes:02d}:{whole:02d}{mark}{milliseconds:03d}"


def _time_span(cue: Cue, *, hours: bool, mark: str) -> str:
    start = timestamp(cue.start_s, hours=hours, mark=mark)
    return f"{start} --> {timestamp(cue.end_s, hours=hours, mark=mark)}"


def _one_line(text: str) -> str:
    return " ".join(text.strip().splitlines())


def _confidence_fields(transcript: Transcript) -> _ConfidenceFields:
    """Fields that openai/whisper does not write; empty if no window of the clip was decoded."""
    confidence = confidence_row(transcript.confidence)
    if not confidence:
        return {}
    return {"language_probability": round(transcript.language_probability, 4), **confidence}


def segment_fields(index: int, segment: Segment) -> SegmentFields:
    """A segment as openai/whisper writes it; ``seek`` is in frames of 10 ms."""
    return {
        "id": index,
        "seek": round(segment.start_s * FRAMES_PER_S),
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def _json_segment(index: int, segment: Segment) -> WhisperSegment:
    channel = channel_row(segment.channel)
    words: _WordsField = {}
    if segment.words is not None:
        words = {"words": [{**_json_word(word), **channel} for word in segment.words]}
    return {
        **segment_fields(index, segment),
        **channel,
        **segment_language_row(segment),
        **words,
    }


def _json_word(word: Word) -> WhisperWord:
    return {
        "word": word.text,
        "start": round(word.start_s, 3),
        "end": round(word.end_s, 3),
        "probability": word.probability,
    }
