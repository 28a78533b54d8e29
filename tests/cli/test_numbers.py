from __future__ import annotations

import pytest

from quest22.cli.numbers import parse_list, parse_numbers, parse_threshold
from quest22.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"), [("", []), (" en, ru,", ["en", "ru"]), ("0.2", ["0.2"])]
)
def test_lists(text, expected):
    assert parse_list(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("", ()), ("0, 0.2,1", (0.0, 0.2, 1.0))])
def test_numbers(text, expected):
    assert parse_numbers("temperature", text) == expected


def test_what_is_no_number_is_named():
    with pytest.raises(UsageError, match="temperature 'hot': expected numbers"):
        parse_numbers("temperature", "hot")


@pytest.mark.parametrize(
    ("text", "expected"), [("off", None), (" None ", None), ("-1", -1.0), ("2.4", 2.4)]
)
def test_thresholds(text, expected):
    assert parse_threshold("logprob threshold", text) == expected


def test_a_threshold_that_is_none():
    with pytest.raises(UsageError, match="logprob threshold 'low': expected a number, or off"):
        parse_threshold("logprob threshold", "low")
