from __future__ import annotations

import pytest

from quest22.cli.output_flags import OutputFlags
from quest22.errors import UsageError
from quest22.settings import CaptionSettings


def test_captions_need_words_when_anything_is_asked_of_them():
    assert not OutputFlags().captions().needs_words
    asked = OutputFlags(max_line_width=42, max_line_count=2, highlight_words=True).captions()
    assert asked == CaptionSettings(max_line_width=42, max_line_count=2, highlight_words=True)
    assert asked.needs_words


@pytest.mark.parametrize(
    ("flags", "limit"),
    [({}, None), ({"max_failures": 2}, 2), ({"on_error": "stop", "max_failures": 2}, 0)],
)
def test_how_many_clips_may_fail(flags, limit):
    assert OutputFlags(**flags).failure_limit() == limit


def test_a_policy_that_does_not_exist():
    with pytest.raises(UsageError, match="expected skip or stop"):
        OutputFlags(on_error="retry").failure_limit()
