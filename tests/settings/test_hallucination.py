from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.settings import HallucinationSettings

BAD = [
    ({"max_repeats": 1}, "max_repeats is 1: expected 2 or more"),
    ({"max_speaking_rate": 0.0}, "a number above 0"),
    ({"compression_ratio_threshold": 0.0}, "a number above 0"),
    ({"no_speech_threshold": 2.0}, "a number from 0 to 1"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        HallucinationSettings(**values)
