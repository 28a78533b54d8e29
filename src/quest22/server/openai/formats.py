"""Formats a transcript for each ``response_format``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import log
from typing import Any

from quest22.records import Segment, Transcript
from quest22.server.openai.parameters import AudioRequest
from quest22.settings.languages import language_name
from quest22.sink.formats.caption_layout import whole_segments
from quest22.sink.formats.captions import segment_fields, srt, vtt

PLAIN, SUBRIP, WEBVTT = "text/plain", "application/x-subrip", "text/vtt"
SPEAKER = "A"
"""The only speaker: there is no diarization."""
MIN_PROBABILITY = 1e-9


def formatted(transcript: Transcript, request: AudioRequest) -> tuple[str, str]:
    """The body of a response, and its media type."""
    if request.format == "text":
        return f"{transcript.text}\n", f"{PLAIN}; charset=utf-8"
    if request.format == "srt":
        return srt(transcript), f"{SUBRIP}; charset=utf-8"
    if request.format == "vtt":
        return vtt(transcript), f"{WEBVTT}; charset=utf-8"
    bodies = {"verbose_json": _verbose, "diarized_json": _diarized}
    body = bodies.get(request.format, _plain)(transcript, request)
    return json.dumps(body, ensure_ascii=False), "application/json"


def done_fields(transcript: Transcript, request: AudioRequest) -> dict[str, Any]:
    """The fields that the final event of a stream and the plain format share."""
    language = transcript.language if transcript.text else None
    fields: dict[str, Any] = {
        "text": transcript.text,
        "usage": usage(transcript),
        "languages": [] if language is None else [{"code": language}],
    }
    if request.logprobs:
        fields["logprobs"] = logprobs(transcript.segments)
    if request.format == "verbose_json":
        fields |= _description(transcript, request)
    return fields


def usage(transcript: Transcript) -> dict[str, Any]:
    """OpenAI's ``usage``."""
    return {"type": "duration", "seconds": round(transcript.duration_s, 3)}


def logprobs(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """One entry per word; words stand for tokens."""
    return [
        {
            "token": word.text,
            "bytes": list(word.text.encode()),
            "logprob": round(log(max(word.probability, MIN_PROBABILITY)), 4),
        }
        for segment in segments
        for word in segment.words or ()
    ]


def diarized_segment(index: int, segment: Segment) -> dict[str, Any]:
    """A segment with its speaker; also an event of a stream."""
    return {
        "type": "transcript.text.segment",
        "id": f"seg_{index}",
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "speaker": SPEAKER,
        "text": segment.text.strip(),
    }


def _plain(transcript: Transcript, request: AudioRequest) -> dict[str, Any]:
    return done_fields(transcript, request)


def _diarized(transcript: Transcript, request: AudioRequest) -> dict[str, Any]:
    segments = whole_segments(transcript)
    return {
        "task": request.task,
        "duration": round(transcript.duration_s, 3),
        "text": transcript.text,
        "segments": [diarized_segment(index, each) for index, each in enumerate(segments)],
        "usage": usage(transcript),
    }


def _verbose(transcript: Transcript, request: AudioRequest) -> dict[str, Any]:
    segments = whole_segments(transcript)
    body: dict[str, Any] = {
        **_description(transcript, request),
        "text": transcript.text,
        "usage": usage(transcript),
    }
    if request.segments:
        body["segments"] = [segment_fields(index, each) for index, each in enumerate(segments)]
    if request.words:
        body["words"] = [each for segment in segments for each in _words(segment)]
    return body


def _description(transcript: Transcript, request: AudioRequest) -> dict[str, Any]:
    language = "en" if request.task == "translate" else transcript.language
    return {
        "task": request.task,
        "language": language_name(language or ""),
        "duration": round(transcript.duration_s, 3),
    }


def verbose_segment(index: int, segment: Segment, request: AudioRequest) -> dict[str, Any]:
    """A segment with all its details, as an event of a stream."""
    event = {"type": "transcript.text.segment", **segment_fields(index, segment)}
    return {**event, "words": _words(segment)} if request.words else event


def _words(segment: Segment) -> list[dict[str, Any]]:
    return [
        {
            "word": word.text.strip(),
            "start": round(word.start_s, 3),
            "end": round(word.end_s, 3),
        }
        for word in segment.words or ()
    ]
