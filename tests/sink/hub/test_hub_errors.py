from __future__ import annotations

from types import SimpleNamespace

import pytest
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from quest22.errors import SinkError, UsageError
from quest22.sink.hub.hub_errors import describe_error, hub_error


def refused(status: int, message: str | None = None) -> HfHubHTTPError:
    """An error as either of the client's HTTP libraries makes it."""
    error = HfHubHTTPError.__new__(HfHubHTTPError)
    error.args = ("signed https://hub/?X-Amz-Signature=s",)
    error.response = SimpleNamespace(status_code=status)
    error.server_message = message
    return error


@pytest.mark.parametrize("status", [408, 409, 412, 423, 425, 429, 500, 502, 503, 504])
def test_transient_answers_are_retried(status):
    assert hub_error(refused(status), "me/out") is None
    assert describe_error(refused(status)) == f"HTTP {status}"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "rejected the token for me/out (HTTP 401): log in again"),
        (403, "no write access to me/out on the Hub (HTTP 403)"),
        (404, "me/out was not found on the Hub"),
        (400, "rejected the files for me/out (HTTP 400: too many files)"),
    ],
)
def test_refusals_say_what_to_do_in_one_line(status, text):
    error = hub_error(refused(status, "too many\nfiles"), "me/out")
    assert isinstance(error, SinkError)
    assert text in str(error)
    assert "\n" not in str(error)
    assert "Signature" not in str(error)


def test_an_upload_thread_s_error_counts_as_its_cause():
    wrapped = RuntimeError("upload failed")
    wrapped.__cause__ = refused(503)
    assert hub_error(wrapped, "me/out") is None
    assert describe_error(wrapped) == "HTTP 503"


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (HFValidationError("bad"), UsageError, "'me/out' is not a dataset name"),
        (LocalTokenNotFoundError("none"), UsageError, "not logged in"),
        (PermissionError(13, "denied", "rows.jsonl"), SinkError, "rows.jsonl: denied"),
        (ValueError("bad card"), SinkError, "could not be published (ValueError)"),
        (ConnectionError("reset"), type(None), ""),
    ],
)
def test_other_errors(error, kind, text):
    found = hub_error(error, "me/out")
    assert isinstance(found, kind)
    assert text in str(found)
