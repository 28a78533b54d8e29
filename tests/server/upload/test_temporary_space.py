"""How much of the disk all uploads may take together."""

from __future__ import annotations

import errno
import io
from typing import Any

import httpx2
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import UsageError
from quest22.server.refusal import Refusal
from quest22.server.upload.growing_file import MEMORY_BYTES, GrowingFile
from quest22.server.upload.temporary_space import TemporarySpace
from quest22.settings.server import ServerSettings
from tests.support.recordings import NANO_IS_HERE
from tests.support.running_server import running_server

needs_nano = pytest.mark.skipif(not NANO_IS_HERE, reason="nano is not built")


@given(st.lists(st.integers(0, MEMORY_BYTES), max_size=8))
def test_what_lies_on_the_disk_is_counted_until_it_is_freed(sizes: list[int]) -> None:
    space = TemporarySpace()
    file = GrowingFile(space)
    for size in sizes:
        file.write(bytes(size))
    assert space.used_bytes == (file.size if file.size > MEMORY_BYTES else 0)
    file.close()
    file.close()
    assert space.used_bytes == 0


def test_recordings_that_do_not_fit_together_are_refused() -> None:
    space = TemporarySpace(3 * MEMORY_BYTES)
    first, second, small = (GrowingFile(space) for _ in range(3))
    first.write(bytes(2 * MEMORY_BYTES))
    with pytest.raises(Refusal, match=r"use 2.097 of the 3.146 MB") as caught:
        second.write(bytes(2 * MEMORY_BYTES))
    assert (caught.value.status, caught.value.reason) == (503, "storage_full")
    assert caught.value.headers["Retry-After"]
    with pytest.raises(Refusal):
        GrowingFile(space, expected_bytes=2 * MEMORY_BYTES)
    small.write(bytes(MEMORY_BYTES))
    first.close()
    second.write(bytes(2 * MEMORY_BYTES))
    for each in (second, small):
        each.close()
    assert space.used_bytes == 0


def test_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    space = TemporarySpace()
    file = GrowingFile(space)

    def full(_: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file._bytes, "write", full)
    with pytest.raises(Refusal, match="disk for recordings is full"):
        file.write(b"data")
    file.close()


def test_one_recording_must_fit() -> None:
    assert ServerSettings(max_upload_mb=10).max_temporary_bytes == 80_000_000
    assert ServerSettings(max_upload_mb=10, max_temporary_mb=10).max_temporary_bytes == 10_000_000
    with pytest.raises(UsageError, match="max_temporary_mb is 9: expected"):
        ServerSettings(max_upload_mb=10, max_temporary_mb=9)


def wav(seconds: int, channels: int) -> bytes:
    written = io.BytesIO()
    sound = np.zeros((seconds * 8000, channels), np.float32)
    soundfile.write(written, sound, 8000, format="WAV", subtype="ULAW")
    return written.getvalue()


@needs_nano
@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/audio/transcriptions", {"data": {"model": "whisper-1"}}),
        ("/v1/listen?multichannel=true", {}),
    ],
)
def test_a_server_whose_disk_is_taken(path: str, more: dict[str, Any]) -> None:
    """Channels take no more of it than the recording does."""
    data = wav(100, 2)
    with running_server(max_upload_mb=2.0, max_temporary_mb=2.0) as server:
        space = server.service.space
        sent = {"files": {"file": ("a.wav", data)}, **more} if more else {"content": data}
        url = f"{server.url}{path}"
        assert httpx2.post(url, **sent, timeout=120).status_code == 200
        assert space.used_bytes == 0
        space.take(1_000_000)
        answer = httpx2.post(url, **sent, timeout=120)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert "1 of the 2 MB of temporary disk" in answer.text
        metrics = httpx2.get(f"{server.url}/metrics").text
        assert "quest22_temporary_bytes 1e+06" in metrics
        assert 'quest22_rejected_total{reason="storage_full"} 1.0' in metrics
