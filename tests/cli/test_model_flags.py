from __future__ import annotations

import pytest

from quest22.cli.model_flags import FileModelFlags, ModelFlags, SpeechFlags, VadFlags
from quest22.errors import UsageError
from quest22.settings import (
    AudioSettings,
    DecodingSettings,
    EngineSettings,
    HallucinationSettings,
    LongFormSettings,
    MemorySettings,
    VadSettings,
)


def test_defaults_are_those_of_the_settings():
    assert ModelFlags(token="t").settings() == EngineSettings(token="t")
    speech = SpeechFlags()
    assert speech.decoding(timestamps=False) == DecodingSettings()
    assert speech.longform() == LongFormSettings()
    assert speech.audio() == AudioSettings()
    assert speech.hallucination() == HallucinationSettings()
    assert speech.memory_settings() == MemorySettings.of()
    assert speech.vad_flags.settings() == VadSettings()


def test_flags_are_read_as_what_they_stand_for():
    model = ModelFlags(model="tiny", model_revision="v1", batch_size="4", token="t")
    assert model.settings() == EngineSettings("tiny", "v1", batch_size=4, token="t")
    assert FileModelFlags(model_revision="v1", token="t").settings().revision == "v1"
    speech = SpeechFlags(
        languages="en, Russian",
        suppress_tokens="-1,11",
        logprob_threshold="off",
        max_repeats="4",
        stride_length_s="4,2",
        clip_timestamps="1,2",
        max_duration="90m",
        memory="256M",
    )
    decoding = speech.decoding(timestamps=False)
    assert (decoding.languages, decoding.suppress_tokens) == (("en", "ru"), (-1, 11))
    assert speech.hallucination() == HallucinationSettings(logprob_threshold=None, max_repeats=4)
    assert speech.longform() == LongFormSettings(stride_s=(4.0, 2.0), clip_timestamps=(1.0, 2.0))
    assert speech.audio() == AudioSettings(max_duration_s=5400.0)
    assert speech.memory_settings() == MemorySettings.of(256 << 20)


def test_the_token_of_the_environment_is_used_if_none_is_given(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_env")
    assert ModelFlags().settings().token == "hf_env"
    assert ModelFlags(token="hf_flag").settings().token == "hf_flag"


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
    assert VadFlags(**flags).settings() == expected


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


@pytest.mark.parametrize(
    ("named", "language"), [(None, None), ("auto", None), (" AUTO ", None), ("Russian", "ru")]
)
def test_languages(named, language):
    assert SpeechFlags(language=named).decoding(timestamps=False).language == language


@pytest.mark.parametrize(
    ("temperature", "step", "tried"),
    [
        (None, None, None),
        ("0.4", None, (0.4,)),
        (None, 0.5, (0.0, 0.5, 1.0)),
        ("0.4", 0.3, (0.4, 0.7, 1.0)),
        ("0,0.2", 0.3, (0.0, 0.2)),
    ],
)
def test_temperatures(temperature, step, tried):
    flags = SpeechFlags(temperature=temperature, temperature_increment_on_fallback=step)
    assert flags.decoding(timestamps=False).temperature == tried


def test_a_temperature_increment_is_above_zero():
    flags = SpeechFlags(temperature_increment_on_fallback=0.0)
    with pytest.raises(UsageError, match=r"temperature_increment_on_fallback is 0\.0: expected"):
        flags.decoding(timestamps=False)
