"""Captions of one clip: txt, srt, vtt, tsv, json, shaped as openai/whisper's command writes them.

Knows nothing of files: :mod:`quest22.sink.perclip` decides where a document lands.

A transcript without segments (no timestamps were asked for) counts as one segment that lasts as
long as the clip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quest22.records import Segment, Transcript, Word
from quest22.sink.jsonl import json_line

Caption = Callable[[Transcript], str]

SEEK_FRAMES_PER_S = 100
"""openai/whisper counts ``seek`` in mel frames of 10 ms."""


def txt(transcript: Transcript) -> str:
    """The text alone, a line for each segment."""
    return "".join(f"{segment.text.strip()}\n" for segment in caption_segments(transcript))


def srt(transcript: Transcript) -> str:
    """SubRip: numbered, ``HH:MM:SS,mmm``."""
    return "".join(
        f"{number}\n{_span(segment, hours=True, mark=',')}\n{_cue(segment)}\n\n"
        for number, segment in enumerate(caption_segments(transcript), start=1)
    )


def vtt(transcript: Transcript) -> str:
    """WebVTT: ``MM:SS.mmm``, with hours only where there are any."""
    return "WEBVTT\n\n" + "".join(
        f"{_span(segment, hours=False, mark='.')}\n{_cue(segment)}\n\n"
        for segment in caption_segments(transcript)
    )


def tsv(transcript: Transcript) -> str:
    """Tab-separated: start and end in whole milliseconds, text."""
    return "start\tend\ttext\n" + "".join(
        f"{round(1000 * segment.start_s)}\t{round(1000 * segment.end_s)}\t"
        f"{_one_line(segment.text).replace(chr(9), ' ')}\n"
        for segment in caption_segments(transcript)
    )


def json(transcript: Transcript) -> str:
    """The result object of openai/whisper: ``text``, ``segments``, ``language``."""
    segments = caption_segments(transcript)
    return json_line(
        {
            "text": transcript.text,
            "segments": [_json_segment(index, segment) for index, segment in enumerate(segments)],
            "language": transcript.language,
        }
    )


CAPTIONS: Mapping[str, Caption] = {"txt": txt, "vtt": vtt, "srt": srt, "tsv": tsv, "json": json}
"""Every caption format by its name, which is its suffix too."""

TIMED = frozenset({"vtt", "srt", "tsv", "json"})
"""Formats that are of little use without timestamps."""


def caption_segments(transcript: Transcript) -> tuple[Segment, ...]:
    """The segments, or the whole text as one where there are none."""
    if transcript.segments or not transcript.text.strip():
        return transcript.segments
    return (Segment(0.0, transcript.duration_s, transcript.text),)


def timestamp(seconds: float, *, hours: bool, mark: str) -> str:
    """``[HH:]MM:SS.mmm``, rounded to milliseconds; hours appear if ``hours`` or if there are any.

    >>> timestamp(3725.5, hours=False, mark=",")
    '01:02:05,500'
    """
    milliseconds = round(max(seconds, 0.0) * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    full_hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    leading = f"{full_hours:02d}:" if hours or full_hours else ""
    return f"{leading}{minutes:02d}:{whole:02d}{mark}{milliseconds:03d}"


def _span(segment: Segment, *, hours: bool, mark: str) -> str:
    start = timestamp(segment.start_s, hours=hours, mark=mark)
    return f"{start} --> {timestamp(segment.end_s, hours=hours, mark=mark)}"


def _cue(segment: Segment) -> str:
    """Text that cannot break the format: no arrow of a time line, no empty line inside."""
    lines = [line.strip() for line in segment.text.strip().splitlines() if line.strip()]
    return "\n".join(lines).replace("-->", "->")


def _one_line(text: str) -> str:
    return " ".join(text.strip().splitlines())


def _json_segment(index: int, segment: Segment) -> dict[str, Any]:
    words = {} if segment.words is None else {"words": [_json_word(word) for word in segment.words]}
    return {
        "id": index,
        "seek": round(segment.start_s * SEEK_FRAMES_PER_S),
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
        **words,
    }


def _json_word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text,
        "start": round(word.start_s, 3),
        "end": round(word.end_s, 3),
        "probability": word.probability,
    }
