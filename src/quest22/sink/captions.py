"""Captions of one clip: txt, srt, vtt, tsv, json, shaped as openai/whisper's command writes them.

Knows nothing of files: :mod:`quest22.sink.caption_files` decides where a document lands.

A transcript without segments (no timestamps were asked for) counts as one segment that lasts as
long as the clip. How words are laid out in srt and vtt is settled in ``caption_layout``;
json keeps the model's own segments whatever is asked of captions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quest22.records import Segment, Transcript, Word
from quest22.settings import CaptionSettings
from quest22.sink.caption_cues import Cue, caption_segments, cues
from quest22.sink.jsonl import json_line
from quest22.sink.rows import confidence_row, dropped_rows, spoken_row

Caption = Callable[[Transcript, CaptionSettings], str]
PLAIN = CaptionSettings()

SEEK_FRAMES_PER_S = 100
"""openai/whisper counts ``seek`` in mel frames of 10 ms."""


def txt(transcript: Transcript, settings: CaptionSettings = PLAIN) -> str:
    """The text alone, a line for each segment."""
    return "".join(f"{each.text.strip()}\n" for each in caption_segments(transcript, settings))


def srt(transcript: Transcript, settings: CaptionSettings = PLAIN) -> str:
    """SubRip: numbered, ``HH:MM:SS,mmm``."""
    return "".join(
        f"{number}\n{_span(cue, hours=True, mark=',')}\n{cue.text}\n\n"
        for number, cue in enumerate(cues(transcript, settings), start=1)
    )


def vtt(transcript: Transcript, settings: CaptionSettings = PLAIN) -> str:
    """WebVTT: ``MM:SS.mmm``, with hours only where there are any."""
    return "WEBVTT\n\n" + "".join(
        f"{_span(cue, hours=False, mark='.')}\n{cue.text}\n\n" for cue in cues(transcript, settings)
    )


def tsv(transcript: Transcript, settings: CaptionSettings = PLAIN) -> str:
    """Tab-separated: start and end in whole milliseconds, text."""
    return "start\tend\ttext\n" + "".join(
        f"{round(1000 * segment.start_s)}\t{round(1000 * segment.end_s)}\t"
        f"{_one_line(segment.text).replace(chr(9), ' ')}\n"
        for segment in caption_segments(transcript, settings)
    )


def json(transcript: Transcript, _settings: CaptionSettings = PLAIN) -> str:
    """The result object of openai/whisper: ``text``, ``segments``, ``language``, and ours more."""
    segments = caption_segments(transcript, PLAIN)
    return json_line(
        {
            "text": transcript.text,
            "segments": [_json_segment(index, segment) for index, segment in enumerate(segments)],
            "language": transcript.language,
            **_certainty(transcript),
            **dropped_rows(transcript.dropped),
        }
    )


CAPTIONS: Mapping[str, Caption] = {"txt": txt, "vtt": vtt, "srt": srt, "tsv": tsv, "json": json}
"""Every caption format by its name, which is its suffix too."""

TIMED = frozenset({"vtt", "srt", "tsv", "json"})
"""Formats that are of little use without timestamps."""


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


def _span(cue: Cue, *, hours: bool, mark: str) -> str:
    start = timestamp(cue.start_s, hours=hours, mark=mark)
    return f"{start} --> {timestamp(cue.end_s, hours=hours, mark=mark)}"


def _one_line(text: str) -> str:
    return " ".join(text.strip().splitlines())


def _certainty(transcript: Transcript) -> dict[str, Any]:
    """What openai/whisper does not tell of a clip; nothing where nothing was heard."""
    found = confidence_row(transcript.confidence)
    probability = round(transcript.language_probability, 4)
    return {"language_probability": probability, **found} if found else {}


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
        **spoken_row(segment),
        **words,
    }


def _json_word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text,
        "start": round(word.start_s, 3),
        "end": round(word.end_s, 3),
        "probability": word.probability,
    }
