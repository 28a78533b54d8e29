from __future__ import annotations

from quest22.settings import HubSettings
from quest22.settings.option import options_of


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
