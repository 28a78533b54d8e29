from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.settings.quantities import (
    format_duration,
    format_size,
    parse_duration_s,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512M", 512 << 20),
        ("1G", 1 << 30),
        ("1.5 GiB", 3 << 29),
        ("2tb", 2 << 40),
        ("70000", 70000),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "1Q", "-1G", "1GG"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="such as 512M"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5 H", 5400), ("2 min", 120), ("0s", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10", "-1h", "10 days", "1hh"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="such as 90s or 24h"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(1 << 30, "1G"), (256 << 20, "256M"), (1536, "1536"), (3 << 39, "1536G"), (0, "0")],
)
def test_sizes_are_written_as_they_are_read(size: int, text: str) -> None:
    assert format_size(size) == text
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("seconds", "text"), [(86400.0, "24h"), (5400.0, "90m"), (600.0, "10m"), (1.5, "1.5s")]
)
def test_durations_are_written_as_they_are_read(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
    assert parse_duration_s(text) == seconds
