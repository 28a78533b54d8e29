from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.settings import EngineSettings

BAD = [
    ({"batch_size": 0}, "batch_size is 0: expected 1 or more"),
    ({"threads": -3}, "threads is -3: expected 1 or more"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        EngineSettings(**values)


def test_the_token_is_not_shown():
    assert "hf_secret" not in repr(EngineSettings(token="hf_secret"))
