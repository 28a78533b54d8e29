"""Which models the server is told to serve."""

from __future__ import annotations

import pytest

from quest22.cli.serve import ServerFlags
from quest22.errors import UsageError


def test_models_have_short_names_or_those_that_are_given() -> None:
    flags = ServerFlags(model=["base", "org/whisper-ours", "mine=some/folder"])
    assert flags.served() == {
        "base": "base",
        "whisper-ours": "org/whisper-ours",
        "mine": "some/folder",
    }


@pytest.mark.parametrize("second", ["base", "other/base", "base=some/folder"])
def test_two_models_of_one_name_are_refused(second: str) -> None:
    with pytest.raises(UsageError, match="two models are called base"):
        ServerFlags(model=["org/base", second]).served()
