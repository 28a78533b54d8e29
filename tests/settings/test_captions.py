from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.settings import CaptionSettings

BAD = [
    ({"max_line_width": 0}, "max_line_width is 0: expected 1 or more"),
    ({"max_words_per_line": 0}, "max_words_per_line is 0: expected 1 or more"),
    ({"max_line_count": 2}, "requires max_line_width"),
    ({"caption_length": 1}, "caption_length is 1: expected 2 or more"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        CaptionSettings(**values)


def test_captions_need_words_when_anything_is_asked_of_them():
    assert not CaptionSettings().needs_words
    assert CaptionSettings(sentences=True).needs_words
    assert not CaptionSettings(caption_length=None).needs_words
    assert not CaptionSettings(caption_length=60).needs_words


@pytest.mark.parametrize(
    ("values", "limit"),
    [
        ({}, 84),
        ({"caption_length": 60}, 60),
        ({"caption_length": None}, None),
        ({"sentences": True}, None),
        ({"max_line_width": 42, "max_line_count": 2, "caption_length": 60}, None),
    ],
)
def test_captions_are_split_unless_their_words_are_laid_out(values, limit):
    assert CaptionSettings(**values).limit == limit


@pytest.mark.parametrize(
    ("values", "keeps"),
    [
        ({}, True),
        ({"max_line_width": 42}, True),
        ({"max_line_width": 42, "max_line_count": 2}, False),
        ({"max_line_width": 42, "max_line_count": 2, "sentences": True}, True),
    ],
)
def test_captions_of_limited_lines_flow_across_segments(values, keeps):
    assert CaptionSettings(**values).keeps_segments is keeps
