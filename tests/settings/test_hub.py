from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.settings import HubSettings
from quest22.settings.hub import parse_commit_interval
from quest22.settings.option import options_of


@pytest.mark.parametrize(
    ("text", "pace"),
    [
        ("10m", (600.0, None)),
        ("1.5h", (5400.0, None)),
        ("30 s", (30.0, None)),
        ("500", (None, 500)),
    ],
)
def test_a_pace_is_a_time_or_a_number(text, pace):
    assert parse_commit_interval(text) == pace


@pytest.mark.parametrize("text", ["", "0", "fast", "2s", "-1", "10 days"])
def test_no_pace(text):
    with pytest.raises(UsageError, match="hub_commit_every is "):
        parse_commit_interval(text)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"private": True, "hub_commit_every": 9}, None),
        ({"push_to_hub": "me/x"}, HubSettings("me/x", token="t")),
        (
            {"push_to_hub": "me/x", "private": True, "hub_commit_every": "1h"},
            HubSettings("me/x", private=True, commit_seconds=3600.0, token="t"),
        ),
        (
            {"push_to_hub": "me/x", "hub_commit_every": 5000},
            HubSettings("me/x", commit_seconds=None, commit_rows=5000, token="t"),
        ),
    ],
)
def test_options_of_python(options, expected):
    assert HubSettings.take(options, "t") == expected
    assert options == {}


def test_a_commit_every_ten_minutes_by_default() -> None:
    settings = HubSettings("org/name")
    assert (settings.commit_seconds, settings.commit_rows, settings.private) == (600.0, None, False)


def test_the_token_is_not_shown() -> None:
    assert "secret" not in repr(HubSettings("org/name", token="secret"))


def test_options_have_the_names_that_users_write() -> None:
    names = {option.name: option.flags for option in options_of(HubSettings)}
    assert names == {
        "push_to_hub": ("--push-to-hub",),
        "private": ("--private",),
        "hub_commit_every": ("--hub-commit-every",),
    }
