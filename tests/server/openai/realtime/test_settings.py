"""What clients set, in GA's words and the beta's."""

from __future__ import annotations

from typing import Any

import pytest

from quest22.server.openai.realtime.fields import EventError
from quest22.server.openai.realtime.settings import SessionSettings
from quest22.settings.clip_options import ClipOptions, ClipSettings


def ga(**given: Any) -> dict[str, Any]:
    return {"type": "transcription", "audio": {"input": given}}


def updated(*sessions: object) -> SessionSettings:
    settings = SessionSettings()
    for each in sessions:
        settings = settings.updated(each)
    return settings


LIVE = [
    pytest.param(ga(transcription={"language": "en"}), {"language": "en"}, id="a language"),
    pytest.param(ga(transcription={"language": "pt-BR"}), {"language": "pt"}, id="with a region"),
    pytest.param(ga(transcription={"languages": ["en"]}), {"language": "en"}, id="one of a list"),
    pytest.param(
        ga(transcription={"languages": ["en", "ru"]}), {"languages": "en,ru"}, id="languages"
    ),
    pytest.param(
        ga(transcription={"keywords": ["Ada", "Boole"]}), {"hotwords": "Ada, Boole"}, id="keywords"
    ),
    pytest.param(ga(transcription={"prompt": "Names."}), {"initial_prompt": "Names."}, id="prompt"),
    pytest.param(ga(transcription={"delay": "high"}), {"hold_back_s": 2.0}, id="delay"),
    pytest.param(
        ga(
            turn_detection={
                "type": "server_vad",
                "threshold": 0.6,
                "prefix_padding_ms": 600,
                "silence_duration_ms": 350,
            }
        ),
        {
            "vad_threshold": 0.6,
            "pre_roll_ms": 600,
            "endpoint_ms": 350,
            "sure_endpoint_ms": 350,
            "unfinished_endpoint_ms": 350,
        },
        id="server VAD",
    ),
    pytest.param(
        ga(turn_detection={"type": "server_vad", "silence_duration_ms": 40}),
        {"endpoint_ms": 40, "eager_ms": 40},
        id="a short pause",
    ),
    pytest.param(
        ga(turn_detection={"type": "semantic_vad", "eagerness": "low"}),
        {"endpoint_ms": 1500},
        id="semantic VAD",
    ),
    pytest.param(
        {"input_audio_transcription": {"language": "en"}, "turn_detection": {"threshold": 0.3}},
        {"language": "en", "vad_threshold": 0.3},
        id="beta",
    ),
]


@pytest.mark.parametrize(("session", "expected"), LIVE)
def test_options_of_the_live_session(session: object, expected: dict[str, Any]) -> None:
    options = updated(session).live_options()
    assert {name: options.get(name) for name in expected} == expected
    ClipOptions.take_live(options, ClipSettings())
    assert not options


def test_what_is_not_named_stays() -> None:
    settings = updated(
        ga(
            format={"type": "audio/pcmu"},
            transcription={"model": "whisper-1", "language": "en", "prompt": "a"},
            turn_detection={"type": "server_vad", "threshold": 0.7},
        ),
        ga(transcription={"prompt": "b"}),
        ga(turn_detection={"type": "server_vad", "silence_duration_ms": 900}),
        {"include": ["item.input_audio_transcription.logprobs"]},
    )
    given = settings.fields()["audio"]["input"]
    assert given["format"] == {"type": "audio/pcmu"}
    assert given["transcription"] == {"model": "whisper-1", "language": "en", "prompt": "b"}
    assert given["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.7,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 900,
    }
    assert settings.has_logprobs


def test_null_and_nothing_take_away() -> None:
    settings = updated(
        ga(transcription={"language": "en", "prompt": "a"}, noise_reduction={"type": "near_field"}),
        ga(transcription={"language": "", "prompt": None}, noise_reduction=None),
    )
    assert settings == SessionSettings()


def test_one_language_takes_the_place_of_several_and_back() -> None:
    several = updated(ga(transcription={"languages": ["en", "ru"]}))
    one = several.updated(ga(transcription={"language": "ru"}))
    assert one.transcription.fields() == {"language": "ru"}
    back = one.updated(ga(transcription={"languages": ["en", "de"]}))
    assert back.transcription.fields() == {"languages": ["en", "de"]}


TURNS = [
    pytest.param("gpt-4o-transcribe", {}, "server_vad", id="found by default"),
    pytest.param("gpt-realtime-whisper", {}, None, id="not with models for manual turns"),
    pytest.param(
        "gpt-live-transcribe", {"turn_detection": {"type": "server_vad"}}, "server_vad", id="asked"
    ),
    pytest.param("whisper-1", {"turn_detection": None}, None, id="null"),
]


@pytest.mark.parametrize(("model", "given", "expected"), TURNS)
def test_who_ends_turns(model: str, given: dict[str, Any], expected: str | None) -> None:
    turns = updated(ga(transcription={"model": model}, **given)).turn_detection
    assert (turns and turns.type) == expected


FORMATS = [
    pytest.param(ga(format={"type": "audio/pcm", "rate": 24000}), ("s16le", 24000), id="pcm"),
    pytest.param(ga(format={"type": "audio/pcm", "rate": 16000}), ("s16le", 16000), id="16 kHz"),
    pytest.param(ga(format={"type": "audio/pcma"}), ("alaw", 8000), id="pcma"),
    pytest.param({"input_audio_format": "pcm16"}, ("s16le", 24000), id="beta"),
    pytest.param({"input_audio_format": "g711_ulaw"}, ("mulaw", 8000), id="beta, µ-law"),
]


@pytest.mark.parametrize(("session", "expected"), FORMATS)
def test_formats(session: object, expected: tuple[str, int]) -> None:
    raw = updated(session).raw_format
    assert (raw.name, raw.rate_hz, raw.channels) == (*expected, 1)


def test_the_beta_tells_its_own_names() -> None:
    settings = updated(
        {"input_audio_format": "g711_alaw", "input_audio_transcription": {"model": "whisper-1"}}
    )
    fields = settings.beta_fields()
    assert fields["input_audio_format"] == "g711_alaw"
    assert fields["input_audio_transcription"] == {"model": "whisper-1"}
    assert settings.fields()["audio"]["input"]["format"] == {"type": "audio/pcma"}


WRONG = [
    ("x", "session"),
    ({"audio": 1}, "session.audio"),
    (ga(transcription={"language": 1}), "session.audio.input.transcription.language"),
    (ga(transcription={"prompt": "a" * 9000}), "session.audio.input.transcription.prompt"),
    (ga(transcription={"prompt": "\ud800"}), "session.audio.input.transcription.prompt"),
    (ga(transcription={"keywords": "a"}), "session.audio.input.transcription.keywords"),
    (ga(transcription={"delay": "never"}), "session.audio.input.transcription.delay"),
    (ga(turn_detection={"threshold": 2}), "session.audio.input.turn_detection.threshold"),
    (
        ga(turn_detection={"threshold": float("nan")}),
        "session.audio.input.turn_detection.threshold",
    ),
    (ga(turn_detection={"type": "x"}), "session.audio.input.turn_detection.type"),
    (ga(format={"type": "audio/mp3"}), "session.audio.input.format.type"),
    (ga(format={"type": "audio/pcm", "rate": 10**400}), "session.audio.input.format.rate"),
    ({"input_audio_format": "mp3"}, "session.input_audio_format"),
    ({"include": [1]}, "session.include"),
]


@pytest.mark.parametrize(("session", "place"), WRONG)
def test_what_cannot_be_is_told_with_its_place(session: object, place: str) -> None:
    with pytest.raises(EventError) as raised:
        updated(session)
    assert raised.value.parameter == place
    assert place in raised.value.message
    raised.value.message.encode()
