from __future__ import annotations

from math import nan

import pytest

from quest22.errors import UsageError
from quest22.settings.live import LiveSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_segment_s": 0.5}, "max_segment_s is 0.5: expected 1.0 or more"),
        ({"max_segment_s": 28.5}, "max_segment_s is 28.5, expected at most 28"),
        ({"max_segment_s": nan}, "max_segment_s is nan: expected 1.0 or more"),
        ({"step_s": nan}, "step_s is nan: expected a number above 0"),
        ({"hold_back_s": -1.0}, "hold_back_s is -1.0: expected 0 or more"),
        ({"endpoint_ms": 50}, "endpoint_ms is 50: expected 64 or more"),
        ({"sure_endpoint_ms": 10}, "sure_endpoint_ms is 10: expected 64 or more"),
        (
            {"sure_endpoint_ms": 310},
            "sure_endpoint_ms is 310, expected at most endpoint_ms, which is 300",
        ),
        ({"unfinished_endpoint_ms": 290}, "unfinished_endpoint_ms is 290: expected 300 or more"),
        ({"policy": "each"}, "policy is 'each': expected alignatt, local-agreement or both"),
    ],
)
def test_what_no_session_can_have(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        LiveSettings(**values)  # type: ignore[arg-type]
    assert str(refused.value) == message
