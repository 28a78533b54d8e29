from types import SimpleNamespace
from typing import Any

import pytest

from quest22.audio.container import header_duration_s


@pytest.mark.parametrize(
    ("form", "seconds"),
    [("flac", 100.0), ("aiff", 100.0), ("mov,mp4,m4a,3gp,3g2,mj2", 97.0), ("mp3", None)],
)
def test_other_formats_promise_as_exactly_as_they_know(form: str, seconds: float | None) -> None:
    assert header_duration_s(form, stream(800_000), None) == seconds


def test_an_unknown_length_promises_nothing() -> None:
    assert header_duration_s("flac", stream(None), None) is None


def stream(duration: int | None) -> Any:
    return SimpleNamespace(duration=duration, time_base=1 / 8_000)
