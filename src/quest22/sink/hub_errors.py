"""What the Hub says when it will not take something, in one line each.

Tells refusals, which stay, from trouble that passes. Knows no repository's contents. What servers
and libraries say is not repeated where an address with a signature may stand in it.
"""

from __future__ import annotations

import json

from quest22.errors import Quest22Error, SinkError, UsageError

_PASSING = frozenset({408, 409, 412, 423, 425, 429})
"""Answers below 500 that another try may change: too slow, too often, somebody else was first."""


def hub_error(exc: BaseException, name: str) -> Quest22Error | None:
    """The error that a failed request leaves as, or None where it is worth another try."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    if isinstance(exc, RuntimeError) and exc.__cause__ is not None:  # an upload's thread says so
        return hub_error(exc.__cause__, name)
    if isinstance(exc, HfHubHTTPError):
        return _answered(exc.response.status_code, exc.server_message, name)
    if isinstance(exc, HFValidationError):
        return UsageError(
            f"--push-to-hub {name!r} is no name of a dataset: expected org/name, of letters, "
            "digits, '-', '_' and '.'"
        )
    if isinstance(exc, LocalTokenNotFoundError):
        return UsageError("not logged in to the Hub: run hf auth login, or set HF_TOKEN")
    return _local(exc, name)


def _local(exc: BaseException, name: str) -> SinkError | None:
    if isinstance(exc, OSError) and exc.filename is not None:
        return SinkError(f"cannot read or write {exc.filename}: {exc.strerror or exc}")
    if isinstance(exc, ValueError) and not isinstance(exc, json.JSONDecodeError):
        return SinkError(f"the files for {name} could not be published ({type(exc).__name__})")
    return None


def _answered(status: int, message: str | None, name: str) -> SinkError | None:
    if status >= 500 or status in _PASSING:
        return None
    if status == 401:
        return SinkError(
            f"the Hub does not accept the token for {name} (answer 401): log in again with hf auth "
            "login, or give a token that may write there (HF_TOKEN or --token)"
        )
    if status == 403:
        return SinkError(
            f"the token may not write to {name} on the Hub (answer 403): name a dataset of yours "
            "or of an organisation that you may write to, and give a token with the right to write"
        )
    if status == 404:
        return SinkError(
            f"{name} was not found on the Hub, or the token may not see it (answer 404): check "
            "the name and the token"
        )
    said = f": {' '.join(message.split())[:200]}" if message else ""
    return SinkError(f"the Hub refused the files for {name} (answer {status}{said})")


def described(exc: BaseException) -> str:
    """A passing trouble in a few words."""
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(exc, HfHubHTTPError):
        return f"answer {exc.response.status_code}"
    if isinstance(exc, RuntimeError) and exc.__cause__ is not None:
        return described(exc.__cause__)
    return type(exc).__name__
