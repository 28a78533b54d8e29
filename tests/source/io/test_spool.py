from __future__ import annotations

import io

import pytest

from quest22.errors import ClipError
from quest22.source.io.spool import SpooledMedia, spooled


def test_a_stream_without_end_is_given_up() -> None:
    with pytest.raises(ClipError, match="save it to a file first"):
        spooled(io.BytesIO(bytes(2 << 20)), "standard input", 1 << 20, limit_bytes=1 << 20)


def test_what_is_kept_is_gone_with_its_keeper() -> None:
    kept = SpooledMedia(io.BytesIO(b"sound"), "a.wav")
    assert kept.undecoded_bytes == 5
    file = kept()
    assert file.read() == b"sound"
    del kept
    assert file.closed
