"""What clients ask for, read from an address."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from quest22.capture.raw_pcm import RawFormat
from quest22.server.deepgram.parameters import AudioFormat, LiveParameters, Parameters
from quest22.server.deepgram.query import Query
from quest22.server.refusal import Refusal
from quest22.settings.clip_options import ClipOptions, ClipSettings

SERVED = ("base", "tiny.en")


def query(text: str) -> Query:
    return Query(parse_qsl(text, keep_blank_values=True))


def parameters(text: str) -> Parameters:
    return Parameters.of(query(text), SERVED)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", None),
        ("model=nova-3", None),
        ("model=nova-2-phonecall", None),
        ("model=tiny.en", "tiny.en"),
        ("model=base", "base"),
        ("model=whisper-base", "base"),
        ("model=whisper-large", None),
        ("model=base.en", "base.en"),
        ("model=mine", "mine"),
    ],
)
def test_models(asked: str, expected: str | None) -> None:
    assert parameters(asked).model == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", "en"),
        ("language=en-US", "en"),
        ("language=pt_BR", "pt"),
        ("language=multi", None),
        ("language=de&detect_language=true", None),
        ("language=de&detect_language=false", "de"),
    ],
)
def test_languages(asked: str, expected: str | None) -> None:
    assert parameters(asked).language == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", AudioFormat()),
        (
            "encoding=linear16&sample_rate=16000",
            AudioFormat("linear16", RawFormat("s16le", 16_000, 1)),
        ),
        (
            "encoding=linear32&sample_rate=48000&channels=2",
            AudioFormat("linear32", RawFormat("f32le", 48_000, 2), 2),
        ),
        ("encoding=mulaw", AudioFormat("mulaw", RawFormat("mulaw", 8_000, 1))),
        ("encoding=opus&sample_rate=48000", AudioFormat("opus")),
        ("encoding=flac", AudioFormat("flac")),
    ],
)
def test_sounds(asked: str, expected: AudioFormat) -> None:
    assert parameters(asked).audio == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("keyterm=Ada Lovelace&keyterm=Quest", ("Ada Lovelace", "Quest")),
        ("keywords=snuffle:2&keywords=bad:-3&keywords=plain", ("snuffle", "plain")),
    ],
)
def test_words_to_expect(asked: str, expected: tuple[str, ...]) -> None:
    assert parameters(asked).keyterms == expected
    assert parameters(asked).options()["hotwords"] == ", ".join(expected)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", 300),
        ("endpointing=true", 300),
        ("endpointing=False", None),
        ("endpointing=0", None),
        ("endpointing=25", 200),
        ("endpointing=700", 700),
        ("endpointing=60000", 10_000),
    ],
)
def test_endpointing(asked: str, expected: int | None) -> None:
    found = LiveParameters.of(query(asked))
    assert found.endpointing_ms == expected
    options = found.options()
    assert options["endpoint_ms"] == (expected or 300)
    exact = expected if expected not in (300, None) else None
    assert options.get("sure_endpoint_ms") == options.get("unfinished_endpoint_ms") == exact
    ClipOptions.take_live(options, ClipSettings())
    assert not options


def test_utterance_end() -> None:
    found = LiveParameters.of(query("utterance_end_ms=1500&interim_results=True"))
    assert found.utterance_end_s == 1.5
    assert LiveParameters.of(query("utterance_end_ms=false")).utterance_end_s is None


def test_what_clients_send_without_a_meaning_here() -> None:
    """LiveKit's and Pipecat's defaults."""
    found = parameters(
        "model=nova-3&punctuate=true&smart_format=false&no_delay=true&filler_words=true&version=x"
        "&profanity_filter=false&numerals=false&mip_opt_out=false&detect_entities=false"
        "&diarize=false&dictation=false&multichannel=false&tag=a&tag=b&extra=k:v"
    )
    assert found.punctuated
    assert found.tags == ("a", "b")
    assert found.extra == {"k": "v"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("redact=pci", "redact"),
        ("diarize=true", "multichannel"),
        ("diarize_model=latest", "diarization"),
        ("callback=https://example.org", "callback"),
        ("profanity_filter=True", "profanity_filter"),
        ("replace=a:b", "replace"),
        ("punctuate=perhaps", "true or false, not 'perhaps'"),
        ("encoding=g729", "g729"),
        ("encoding=linear16", "sample_rate"),
        ("encoding=linear16&sample_rate=1", "1000 to 768000"),
        ("encoding=linear16&sample_rate=8000&channels=9", "1 to 8"),
        ("sample_rate=8e3", "whole number"),
        ("sample_rate=" + 5000 * "9", "sample_rate"),
        ("&".join(["keyterm=x"] * 101), "at most 100 values"),
        ("keyterm=" + "x" * 2_001, "2,000 characters"),
    ],
)
def test_what_is_refused(asked: str, said: str) -> None:
    with pytest.raises(Refusal, match=said) as refused:
        parameters(asked)
    assert refused.value.reason == "bad_request"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("utterance_end_ms=1000", "interim_results"),
        ("utterance_end_ms=500&interim_results=true", "1000"),
        ("endpointing=soon", "whole number"),
    ],
)
def test_what_is_refused_of_live_sessions(asked: str, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        LiveParameters.of(query(asked))
