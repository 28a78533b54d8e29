from __future__ import annotations

import io

import pytest

from quest22.errors import ClipError
from quest22.source.seekable import RemoteFile, spooled

CONTENT = bytes(range(256)) * 1000


class _Flaky:
    """A filesystem whose file breaks off before some of its reads."""

    def __init__(self, errors: list[Exception]) -> None:
        self.errors = errors

    def open(self, *_: object, **__: object) -> io.BytesIO:
        errors = self.errors

        class File(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if errors:
                    raise errors.pop()
                return super().read(size)

        return File(CONTENT)


def test_a_lost_connection_is_tried_again() -> None:
    with RemoteFile(_Flaky([ConnectionResetError(), TimeoutError()]), "a", "a", 0.0) as file:
        assert file.readall() == CONTENT
    lost: list[Exception] = [ConnectionResetError() for _ in range(6)]
    with (
        RemoteFile(_Flaky(lost), "a", "https://h/a", 0.0) as file,
        pytest.raises(ClipError, match="https://h/a: it cannot be reached"),
    ):
        file.read(10)


def test_what_does_not_pass_is_not_tried_again() -> None:
    errors: list[Exception] = [PermissionError(), PermissionError()]
    with RemoteFile(_Flaky(errors), "a", "a") as file, pytest.raises(ClipError, match="denied"):
        file.read(10)
    assert len(errors) == 1


def test_a_stream_without_end_is_given_up() -> None:
    with pytest.raises(ClipError, match="save it to a file first"):
        spooled(io.BytesIO(bytes(2 << 20)), "standard input", limit_bytes=1 << 20)
