from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Annotated

import pytest
from typer import Option, Typer

from quest22.cli.dataset_options import DatasetFlags, parse_names
from quest22.cli.flags import grouped
from quest22.cli.options import ModelFlags, SpeechFlags, parse_batch_size, parse_stride
from quest22.cli.output_options import OutputFlags
from quest22.cli.voice_options import VoiceFlags
from quest22.errors import UsageError
from quest22.settings import (
    CaptionSettings,
    DatasetSettings,
    DecodingSettings,
    EngineSettings,
    LongFormSettings,
    MemorySettings,
    VadSettings,
)


@dataclass(frozen=True)
class Colour:
    red: Annotated[int, Option(help="How red.")]
    name: Annotated[str, Option("--name", "-n")] = "none"


@dataclass(frozen=True)
class Size:
    width: Annotated[float, Option()] = 1.0


@dataclass(frozen=True)
class Frame:
    depth: Annotated[int, Option()] = 2
    size: Size = field(default_factory=Size)


def test_a_group_may_hold_others():
    seen = []

    @grouped
    def hang(frame: Frame) -> int:
        seen.append(frame)
        return 0

    assert list(inspect.signature(hang).parameters) == ["depth", "width"]
    app = Typer()
    app.command()(hang)
    app(["--width", "3"], standalone_mode=False)
    assert seen == [Frame(2, Size(3.0))]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, VadSettings()),
        ({"vad": "auto"}, VadSettings("auto")),
        ({"vad_filter": True, "vad_threshold": 0.3}, VadSettings("on", vad_threshold=0.3)),
        ({"vad": "off", "vad_filter": True}, VadSettings("off")),
    ],
)
def test_voice(flags, expected):
    assert VoiceFlags(**flags).settings() == expected


def test_groups_become_single_flags_and_come_back():
    seen = []

    @grouped
    def paint(colour: Colour, size: Size) -> int:
        seen.append((colour, size))
        return 0

    assert list(inspect.signature(paint).parameters) == ["red", "name", "width"]
    app = Typer()
    app.command()(paint)
    app(["--red", "3", "-n", "brick"], standalone_mode=False)
    assert seen == [(Colour(3, "brick"), Size(1.0))]


def test_defaults_are_those_of_the_settings():
    assert ModelFlags(token="t").settings() == EngineSettings(token="t")
    speech = SpeechFlags()
    assert speech.decoding(timestamps=False) == DecodingSettings()
    assert speech.longform() == LongFormSettings()
    assert DatasetFlags("org/name").settings(None, speech.bounds()) == DatasetSettings("org/name")
    assert speech.bounds() == MemorySettings.of()
    shuffled = DatasetFlags("org/name", shuffle=True).settings(None, MemorySettings.of(1 << 28))
    assert shuffled.buffer_bytes == 1 << 27


@pytest.mark.parametrize(
    ("flag", "needed", "chosen"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_the_users_word_on_timestamps_goes_first(flag, needed, chosen):
    assert SpeechFlags(timestamps=flag).decoding(timestamps=needed).timestamps is chosen


@pytest.mark.parametrize(
    ("flags", "needed", "timestamps"),
    [
        (SpeechFlags(word_timestamps=True), False, True),
        (SpeechFlags(), True, True),
        (SpeechFlags(word_timestamps=True, timestamps=False), False, False),
    ],
)
def test_words_bring_timestamps_unless_these_are_refused(flags, needed, timestamps):
    made = flags.decoding(timestamps=False, words=needed)
    assert (made.word_timestamps, made.timestamps) == (True, timestamps)


def test_captions_need_words_when_anything_is_asked_of_them():
    assert not OutputFlags().captions().needs_words
    asked = OutputFlags(max_line_width=42, max_line_count=2, highlight_words=True).captions()
    assert asked == CaptionSettings(max_line_width=42, max_line_count=2, highlight_words=True)
    assert asked.needs_words


@pytest.mark.parametrize(("text", "expected"), [("auto", None), (" AUTO", None), ("8", 8)])
def test_batch_sizes(text, expected):
    assert parse_batch_size(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("5", (5.0, 5.0)), ("4,2.5", (4.0, 2.5)), ("0", (0.0, 0.0))]
)
def test_strides(text, expected):
    assert parse_stride(text) == expected


@pytest.mark.parametrize("text", ["", "a", "1,2,3", "1;2"])
def test_a_stride_that_is_none(text):
    with pytest.raises(UsageError, match="one number or left,right"):
        parse_stride(text)


def test_names_repeated_or_with_commas():
    assert parse_names(["a, b", "c", "a", ""]) == ["a", "b", "c"]
    assert parse_names(None) == []


@pytest.mark.parametrize(
    ("named", "language"), [(None, None), ("auto", None), (" AUTO ", None), ("Russian", "ru")]
)
def test_languages(named, language):
    assert SpeechFlags(language=named).decoding(timestamps=False).language == language
