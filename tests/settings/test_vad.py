from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.settings import VadSettings

BAD = [
    ({"vad": "maybe"}, "vad is 'maybe': expected off, on or auto"),
    ({"vad_threshold": 1.5}, "vad_threshold is 1.5: expected a number from 0 to 1"),
    ({"vad_neg_threshold": -1.0}, "vad_neg_threshold is -1.0"),
    ({"vad_min_speech_duration_ms": -1}, "vad_min_speech_duration_ms is -1: expected 0 or more"),
    ({"vad_max_speech_duration_s": 0.0}, "a number above 0"),
    ({"vad_min_silence_duration_ms": -1}, "expected 0 or more"),
    ({"vad_speech_pad_ms": -1}, "vad_speech_pad_ms is -1: expected 0 or more"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        VadSettings(**values)
