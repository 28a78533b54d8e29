"""Reads the form fields of ``/v1/audio/transcriptions`` and ``/v1/audio/translations``.

Unknown fields are ignored, so that newer clients work. Unsupported requests are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from quest22.errors import UsageError
from quest22.records import Task
from quest22.server.refusal import Refusal
from quest22.settings.languages import language_code

Format: TypeAlias = Literal["json", "text", "srt", "vtt", "verbose_json", "diarized_json"]
STREAMED: tuple[Format, ...] = ("json", "text", "verbose_json", "diarized_json")
"""The formats that can be streamed. The first two have the same events; OpenAI does not stream the
third."""
SPEAKERS = ("known_speaker_names", "known_speaker_references")
MAX_TEMPERATURE = 1.0
_NAME = re.compile(r"([^\[\]]+)(?:\[([^\[\]]*)\])?")

Fields: TypeAlias = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class AudioRequest:
    """``options`` are named as :meth:`quest22.Transcriber.transcribe`'s.

    ``segments``, ``words`` and ``logprobs`` select what the response contains.
    """

    model: str | None
    task: Task
    format: Format
    stream: bool
    segments: bool
    words: bool
    logprobs: bool
    options: Mapping[str, Any]


def check_field(name: str) -> None:
    """Raise :class:`Refusal` for a field that is not supported, whatever its value."""
    plain = _split(name)[0]
    if plain in SPEAKERS:
        raise Refusal(
            "bad_request",
            f"{plain} cannot be heeded: speakers are not told apart here; leave it out",
            parameter=plain,
        )


def read_request(fields: Fields, task: Task) -> AudioRequest:
    """Read the fields received so far; raises :class:`Refusal` for invalid values."""
    given = _FormFields(fields)
    shape = _format(given, task)
    granularities = given.several("timestamp_granularities", ("word", "segment"))
    logprobs = "logprobs" in given.several("include", ("logprobs",))
    stream = given.boolean("stream")
    words = "word" in granularities
    if granularities and shape != "verbose_json":
        raise _refused(
            "timestamp_granularities", f"needs response_format verbose_json, not {shape}"
        )
    if logprobs and shape != "json":
        raise _refused("include", f"logprobs need response_format json, not {shape}")
    if stream and shape not in STREAMED:
        raise _refused("stream", f"cannot be with {shape}: expected {', '.join(STREAMED)}")
    options = {"task": task, **_speech(given), **_decoding(given)}
    if words or logprobs:
        options["word_timestamps"] = True
    return AudioRequest(
        model=given.text("model"),
        task=task,
        format=shape,
        stream=stream,
        segments=not granularities or "segment" in granularities,
        words=words,
        logprobs=logprobs,
        options=options,
    )


def _format(given: _FormFields, task: Task) -> Format:
    formats = [each for each in get_args(Format) if task == "transcribe" or each != "diarized_json"]
    return cast("Format", given.choice("response_format", formats) or "json")


def _speech(given: _FormFields) -> dict[str, Any]:
    """Options about the speech: languages and words to expect."""
    options: dict[str, Any] = {}
    if language := given.text("language"):
        options["language"] = _language("language", language)
    if languages := given.several("languages"):
        options["languages"] = [_language("languages", each) for each in languages]
    if prompt := given.text("prompt"):
        options["initial_prompt"] = prompt
    if keywords := given.several("keywords"):
        options["hotwords"] = ", ".join(keywords)
    return options


def _decoding(given: _FormFields) -> dict[str, Any]:
    options: dict[str, Any] = {}
    temperature = given.number("temperature", MAX_TEMPERATURE)
    if temperature:  # 0 means automatic, as at OpenAI
        options["temperature"] = [temperature]
    threshold = _vad_threshold(given)
    if threshold is not None:
        options["vad_threshold"] = threshold
    return options


def _vad_threshold(given: _FormFields) -> float | None:
    """The threshold in ``chunking_strategy``; its other numbers have no effect here."""
    name = "chunking_strategy"
    strategy = given.nested(name)
    if strategy is None:
        return None
    if strategy.get("type") not in ("auto", "server_vad"):
        raise _refused(name, "expected auto, or an object whose type is server_vad")
    numbers = {
        each: _number(f"{name}.{each}", value) for each, value in strategy.items() if each != "type"
    }
    threshold = numbers.get("threshold")
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise _refused(name, f"threshold is {threshold:g}: expected 0 to 1")
    return threshold


def _language(name: str, value: str) -> str:
    try:
        return language_code(value)
    except UsageError as exc:
        raise Refusal("bad_request", f"{name}: {exc}", parameter=name) from exc


def _refused(name: str, message: str) -> Refusal:
    return Refusal("bad_request", f"{name}: {message}", parameter=name)


def _split(name: str) -> tuple[str, str | None]:
    """``a`` → a; ``a[]`` and ``a[0]`` → a list; ``a[b]`` → a, b."""
    found = _NAME.fullmatch(name)
    return (name, None) if found is None else (found[1], found[2])


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not abs(number) < 1e9:
        raise Refusal(
            "bad_request", f"{name} is {str(value)[:40]!r}: expected a number", parameter=name
        )
    return number


class _FormFields:
    """Fields by name, as ``a`` or ``a[]``; empty values are ignored."""

    def __init__(self, fields: Fields) -> None:
        self._values: dict[str, list[str]] = {}
        self._nested: dict[str, dict[str, Any]] = {}
        for each, value in fields:
            name, key = _split(each)
            if not value.strip():
                continue
            if key and not key.isdecimal():
                self._nested.setdefault(name, {})[key] = value
            else:
                self._values.setdefault(name, []).append(value)

    def text(self, name: str) -> str | None:
        """The last value."""
        return self._values[name][-1].strip() if name in self._values else None

    def several(self, name: str, choices: Sequence[str] = ()) -> list[str]:
        """All values; if there are choices, each must be one of them."""
        values = [each.strip() for each in self._values.get(name, ())]
        for each in values:
            if choices and each not in choices:
                raise _refused(name, f"{each[:40]!r} is not valid: expected {' or '.join(choices)}")
        return values

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in choices:
            raise _refused(name, f"{value[:40]!r} is not valid: expected {', '.join(choices)}")
        return value

    def boolean(self, name: str) -> bool:
        value = (self.text(name) or "false").lower()
        if value not in ("true", "false", "1", "0"):
            raise _refused(name, f"is {value[:40]!r}: expected true or false")
        return value in ("true", "1")

    def number(self, name: str, most: float) -> float | None:
        """From 0 to ``most``."""
        value = self.text(name)
        if value is None:
            return None
        number = _number(name, value)
        if not 0 <= number <= most:
            raise _refused(name, f"is {value[:40]}: expected 0 to {most:g}")
        return number

    def nested(self, name: str) -> Mapping[str, Any] | None:
        """``name[key]`` fields, a JSON object, or a plain word that is its ``type``."""
        text = self.text(name)
        if text is None:
            return self._nested.get(name)
        if not text.startswith("{"):
            return {"type": text.strip('"')}
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise _refused(name, "expected a JSON object")
        return value
