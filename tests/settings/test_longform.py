from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.settings import LongFormSettings

BAD = [
    ({"chunk_length_s": 31.0}, "up to 30 s"),
    ({"chunk_length_s": 0.0}, "up to 30 s"),
    (
        {"stride_s": (15.0, 15.0), "long_form": "chunked"},
        "stride_length_s is 15.0,15.0: expected 0 or more, and together",
    ),
    ({"stride_s": (-1.0, 5.0)}, "stride_length_s is -1.0,5.0: expected 0 or more"),
    ({"long_form": "parallel"}, "long_form is 'parallel': expected pauses, chunked or sequential"),
    ({"clip_timestamps": (-1.0,)}, "expected seconds, 0 or more"),
    ({"clip_timestamps": (2.0, 1.0)}, "expected increasing values"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        LongFormSettings(**values)
