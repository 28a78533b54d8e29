"""Translates the Hub's errors into one line each, and decides which are worth retrying.

Messages of servers and libraries are left out where they may contain a signed URL.
"""

from __future__ import annotations

import json

from quest22.errors import Quest22Error, SinkError, UsageError
from quest22.system.retry import is_transient_status

_CONFLICTS = frozenset({409, 412, 423, 425})
"""Statuses of a commit that meets another: once that is done, it may succeed."""


def hub_error(exc: BaseException, name: str) -> Quest22Error | None:
    """The error to raise for a failed request, or None if it is worth retrying."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    if isinstance(exc, RuntimeError) and exc.__cause__ is not None:  # from an upload thread
        return hub_error(exc.__cause__, name)
    if isinstance(exc, HfHubHTTPError):
        return _refusal(exc.response.status_code, exc.server_message, name)
    if isinstance(exc, HFValidationError):
        return UsageError(
            f"--push-to-hub {name!r} is not a dataset name: expected org/name, made of letters, "
            "digits, '-', '_' and '.'"
        )
    if isinstance(exc, LocalTokenNotFoundError):
        return UsageError("not logged in to the Hub: run hf auth login, or set HF_TOKEN")
    return _local_error(exc, name)


def _local_error(exc: BaseException, name: str) -> SinkError | None:
    if isinstance(exc, OSError) and exc.filename is not None:
        return SinkError(f"cannot read or write {exc.filename}: {exc.strerror or exc}")
    if isinstance(exc, ValueError) and not isinstance(exc, json.JSONDecodeError):
        return SinkError(f"the files for {name} could not be published ({type(exc).__name__})")
    return None


def _refusal(status: int, message: str | None, name: str) -> SinkError | None:
    if is_transient_status(status) or status in _CONFLICTS:
        return None
    if status == 401:
        return SinkError(
            f"the Hub rejected the token for {name} (HTTP 401): log in again with hf auth "
            "login, or give a token with write access (HF_TOKEN or --token)"
        )
    if status == 403:
        return SinkError(
            f"the token has no write access to {name} on the Hub (HTTP 403): name a dataset that "
            "you may write to, and give a token with write access"
        )
    if status == 404:
        return SinkError(
            f"{name} was not found on the Hub, or the token may not read it (HTTP 404): check "
            "the name and the token"
        )
    detail = f": {' '.join(message.split())[:200]}" if message else ""
    return SinkError(f"the Hub rejected the files for {name} (HTTP {status}{detail})")


def describe_error(exc: BaseException) -> str:
    """A transient error in a few words."""
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(exc, HfHubHTTPError):
        return f"HTTP {exc.response.status_code}"
    if isinstance(exc, RuntimeError) and exc.__cause__ is not None:
        return describe_error(exc.__cause__)
    return type(exc).__name__
