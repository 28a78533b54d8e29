from __future__ import annotations

import socket
from typing import Any

import pytest
from huggingface_hub.errors import OfflineModeIsEnabled

from quest22.source.io.error_kinds import reason_of


class _AnswerError(Exception):
    """Shaped like aiohttp's error of an answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status}, url=https://u:pw@h/a?token=t")
        self.status = status


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "refused"), "cannot be reached"),
        (socket.gaierror(-2, "unknown"), "cannot be reached"),
        (TimeoutError(), "cannot be reached"),
        (OfflineModeIsEnabled("offline"), "HF_HUB_OFFLINE"),
        (PermissionError(13, "denied"), "access is denied"),
        (_AnswerError(401), "log in"),
        (_AnswerError(403), "refused"),
        (_AnswerError(429), "slow down"),
        (_AnswerError(502), "answered 502"),
        (FileNotFoundError("a.wav"), "no such file"),
        (_caused(FileNotFoundError("a"), ConnectionResetError()), "cannot be reached"),
        (_caused(FileNotFoundError("a"), _AnswerError(403)), "access is refused"),
        (ValueError("Cannot seek streaming HTTP file"), "no Range requests"),
        (ImportError("Install s3fs to access S3"), r"quest22\[s3\]"),
        (RuntimeError("Dataset scripts are no longer supported, but found x.py"), "never run"),
        (ValueError("Bad split: dev. Available splits: ['test']"), "no split 'dev'.*'test'"),
        (
            ValueError("BuilderConfig 'x' not found. Available: ['a', 'b']"),
            "no config 'x'.*'a', 'b'",
        ),
        (
            ValueError("Parquet magic bytes not found in footer."),
            "no Parquet file, or it breaks off",
        ),
        (OSError("Couldn't deserialize thrift: no protocol"), "it is damaged here"),
        (ValueError("one\ntwo"), "ValueError: one$"),
        (ValueError(), "ValueError: no more is known"),
    ],
)
def test_reasons(error: Exception, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(reason_of(error, "dataset 'd'"))
    assert "\n" not in reason_of(error, "d")


@pytest.mark.parametrize("error", [_AnswerError(418), ValueError("GET https://u:pw@h/a?token=t")])
def test_no_secret_is_told(error: Any) -> None:
    told = reason_of(error, "d")
    assert "pw" not in told
    assert "token=t" not in told


def test_errors_that_cause_each_other_end() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert "ValueError" in reason_of(first, "d")
