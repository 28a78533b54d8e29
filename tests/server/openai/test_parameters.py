"""What forms ask for."""

from __future__ import annotations

from typing import Any

import pytest

from quest22.server.openai.parameters import AudioRequest, Fields, check_field, read_request
from quest22.server.refusal import Refusal


def read(*fields: tuple[str, str], task: Any = "transcribe") -> AudioRequest:
    return read_request(fields, task)


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ([], {}),
        ([("language", "ru")], {"language": "ru"}),
        ([("language", "en-US")], {"language": "en"}),
        ([("language", "German")], {"language": "de"}),
        ([("language", " ")], {}),
        ([("languages[]", "en"), ("languages[]", "ru")], {"languages": ["en", "ru"]}),
        ([("prompt", "Names: Anna")], {"initial_prompt": "Names: Anna"}),
        ([("keywords", "Quest"), ("keywords", "Anna")], {"hotwords": "Quest, Anna"}),
        ([("temperature", "0")], {}),
        ([("temperature", "0.4")], {"temperature": [0.4]}),
        ([("include[]", "logprobs")], {"word_timestamps": True}),
        ([("chunking_strategy", "auto")], {}),
        ([("chunking_strategy", '"auto"')], {}),
        (
            [("chunking_strategy[type]", "server_vad"), ("chunking_strategy[threshold]", "0.7")],
            {"vad_threshold": 0.7},
        ),
        (
            [
                (
                    "chunking_strategy",
                    '{"type":"server_vad","threshold":0.2,"prefix_padding_ms":300}',
                )
            ],
            {"vad_threshold": 0.2},
        ),
        ([("something_new", "1"), ("a[b][c]", "1"), ("]", "")], {}),
    ],
)
def test_options(fields: Fields, options: dict[str, Any]) -> None:
    assert read_request(fields, "transcribe").options == {"task": "transcribe", **options}


@pytest.mark.parametrize("spelling", ["timestamp_granularities", "timestamp_granularities[]"])
def test_both_spellings_of_lists(spelling: str) -> None:
    verbose = ("response_format", "verbose_json")
    both = read(verbose, (spelling, "word"), (spelling, "segment"))
    assert (both.words, both.segments) == (True, True)
    words = read(verbose, (spelling, "word"))
    assert (words.words, words.segments) == (True, False)
    plain = read(verbose)
    assert (plain.words, plain.segments) == (False, True)


@pytest.mark.parametrize(("value", "stream"), [("true", True), ("1", True), ("false", False)])
def test_stream(value: str, stream: bool) -> None:
    assert read(("stream", value)).stream is stream


def test_translation() -> None:
    assert read(task="translate").options == {"task": "translate"}


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ([("response_format", "xml")], "response_format"),
        ([("language", "klingon")], "language"),
        ([("languages", "en"), ("languages", "xx")], "languages"),
        ([("temperature", "warm")], "temperature"),
        ([("temperature", "nan")], "temperature"),
        ([("temperature", "1.5")], "temperature"),
        ([("stream", "maybe")], "stream"),
        ([("stream", "true"), ("response_format", "srt")], "stream"),
        ([("timestamp_granularities[]", "word")], "timestamp_granularities"),
        (
            [("timestamp_granularities[]", "letter"), ("response_format", "verbose_json")],
            "timestamp_granularities",
        ),
        ([("include[]", "everything")], "include"),
        ([("include[]", "logprobs"), ("response_format", "text")], "include"),
        ([("chunking_strategy", "none")], "chunking_strategy"),
        ([("chunking_strategy", "{")], "chunking_strategy"),
        ([("chunking_strategy", "[" * 5000)], "chunking_strategy"),
        ([("chunking_strategy[threshold]", "0.5")], "chunking_strategy"),
        ([("chunking_strategy", '{"type":"server_vad","threshold":7}')], "chunking_strategy"),
    ],
)
def test_values_that_are_refused(fields: Fields, parameter: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_request(fields, "transcribe")
    assert refused.value.parameter == parameter
    assert refused.value.status == 400
    assert "\n" not in refused.value.message


def test_translations_have_no_speakers() -> None:
    with pytest.raises(Refusal):
        read(("response_format", "diarized_json"), task="translate")


@pytest.mark.parametrize("name", ["known_speaker_names[]", "known_speaker_references"])
def test_known_speakers(name: str) -> None:
    with pytest.raises(Refusal, match="not told apart"):
        check_field(name)
    check_field("model")
