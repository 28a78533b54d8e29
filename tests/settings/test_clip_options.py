from __future__ import annotations

from quest22.settings import DecodingSettings, VadSettings
from quest22.settings.clip_options import ClipOptions, ClipSettings

LOADED = ClipSettings(DecodingSettings("ru"), vad=VadSettings("on"))


def test_what_a_clip_leaves_out_is_as_loaded() -> None:
    assert ClipOptions().applied_to(LOADED) == LOADED
    options = ClipOptions(DecodingSettings(task="translate"))
    assert options.applied_to(LOADED) == ClipSettings(
        DecodingSettings(task="translate"), vad=VadSettings("on")
    )


def test_equal_options_are_one_key() -> None:
    assert len({ClipOptions(DecodingSettings("en")), ClipOptions(DecodingSettings("en"))}) == 1
