from __future__ import annotations

from quest22.settings import (
    AudioSettings,
    DecodingSettings,
    EngineSettings,
    MemorySettings,
    PipelineSettings,
)


def test_options_go_to_their_groups():
    options = {"model": "tiny", "beam_size": 5, "workers": 2, "memory": "256M", "other": 1}
    assert PipelineSettings.take(options) == PipelineSettings(
        EngineSettings("tiny"),
        DecodingSettings(beam_size=5),
        audio=AudioSettings(workers=2),
        memory=MemorySettings.of(256 << 20),
    )
    assert options == {"other": 1}


def test_nothing_given_is_the_defaults():
    assert PipelineSettings.take({}) == PipelineSettings()
