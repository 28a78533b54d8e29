from __future__ import annotations

import numpy as np
import pytest

from quest22.errors import UsageError
from quest22.settings import AudioSettings
from quest22.settings.option import take_group

BAD = [
    ({"channel": -1}, "channel is -1: expected 0 or more"),
    (
        {"channel": "both"},
        "channel is 'both': expected a channel's number, counting from 0, or each",
    ),
    ({"channel": 0.5}, "channel is 0.5: expected a channel's number"),
    ({"channel": True}, "channel is True: expected a channel's number"),
    ({"workers": 0}, "workers is 0: expected 1 or more"),
    ({"max_duration_s": 0.0}, "a number above 0"),
]


CHANNELS = [(None, None), (1, 1), ("1", 1), (" Each ", "each"), (np.int64(2), 2)]


@pytest.mark.parametrize(("value", "channel"), CHANNELS)
def test_a_channel_is_a_number_or_each(value, channel):
    options = {"channel": value}
    assert take_group(AudioSettings, options) == AudioSettings(channel=channel)


@pytest.mark.parametrize(("values", "message"), BAD)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        AudioSettings(**values)
