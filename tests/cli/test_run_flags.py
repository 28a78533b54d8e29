from __future__ import annotations

from pathlib import Path

import pytest

from quest22.cli.model_flags import ModelFlags, SpeechFlags
from quest22.cli.output_flags import OutputFlags
from quest22.cli.run_flags import RunFlags
from quest22.errors import UsageError
from quest22.settings import CaptionSettings, OutputSettings


def flags(timestamps=False, **output):
    return RunFlags(ModelFlags(), SpeechFlags(), OutputFlags(**output), "jsonl", timestamps)


@pytest.mark.parametrize(
    ("always", "formats", "timestamps"),
    [
        (False, ("jsonl",), False),
        (False, ("jsonl", "srt"), True),
        (False, ("txt",), False),
        (True, ("txt",), True),
    ],
)
def test_outputs_decide_whether_times_are_needed(always, formats, timestamps):
    settings = flags(always).pipeline_settings(formats)
    assert settings.decoding.timestamps is timestamps
    assert not settings.decoding.word_timestamps


def test_caption_limits_need_words():
    settings = flags(max_line_width=40).pipeline_settings(("srt",))
    assert settings.decoding.word_timestamps


def test_outputs():
    assert flags().output_settings().formats == ("jsonl",)
    output = flags(output_format=["srt,vtt"], output_dir=Path("out")).output_settings()
    assert (output.formats, output.folder, output.journaled) == (("srt", "vtt"), Path("out"), False)


def test_outputs_have_all_that_givensay(tmp_path):
    given = flags(
        output_format=["srt,vtt", "jsonl"], output_dir=tmp_path, overwrite=True, sentences=True
    )
    assert flags().output_settings() == OutputSettings(("jsonl",))
    assert given.output_settings() == OutputSettings(
        ("srt", "vtt", "jsonl"), tmp_path, overwrite=True, captions=CaptionSettings(sentences=True)
    )


@pytest.mark.parametrize(
    ("output", "most"), [({}, None), ({"on_error": "stop"}, 0), ({"max_failures": 2}, 2)]
)
def test_how_many_clips_may_fail(output, most):
    assert flags(**output).failure_budget().most == most


def test_a_policy_that_does_not_exist():
    with pytest.raises(UsageError, match="expected skip or stop"):
        flags(on_error="jump").failure_budget()
