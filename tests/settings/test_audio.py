from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.settings import AudioSettings

BAD = [
    ({"channel": -1}, "channel is -1: expected 0 or more"),
    ({"workers": 0}, "workers is 0: expected 1 or more"),
    ({"max_duration_s": 0.0}, "a number above 0"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        AudioSettings(**values)
