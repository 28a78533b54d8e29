"""What the doctor looks at beyond the machine: the Hub."""

from __future__ import annotations

from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from quest22.cli.finding import Finding, note

PATIENCE_S = 5.0
WITHOUT_HUB = "nano, models and data in folders, and models in the cache work without it"


def check_hub() -> Finding:
    """Whether the Hub answers, at ``HF_ENDPOINT`` if that is set; silent if offline is wanted."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return note("hub", "HF_HUB_OFFLINE is set", f"unset it to reach the Hub; {WITHOUT_HUB}")
    endpoint = str(constants.ENDPOINT)
    problem = reach(endpoint)
    if problem:
        advice = f"check the network or HTTPS_PROXY; {WITHOUT_HUB}"
        return note("hub", f"{endpoint} cannot be reached: {problem}", advice)
    return Finding("hub", f"{endpoint} answers")


def reach(endpoint: str, patience_s: float = PATIENCE_S) -> str | None:
    """Ask a web address for its head; returns what went wrong, or None if anything answered."""
    if not endpoint.startswith(("http://", "https://")):
        return "no http(s) address"
    try:
        with urlopen(Request(endpoint, method="HEAD"), timeout=patience_s):  # noqa: S310
            return None
    except HTTPError as exc:
        return f"it answered {exc.code}" if exc.code >= 500 else None
    except (URLError, OSError, ValueError) as exc:
        return str(getattr(exc, "reason", exc))


def check_token() -> Finding:
    """Whether a token for gated and private repositories is there; its value is never shown."""
    from huggingface_hub import get_token

    if get_token():
        return Finding("token", "a Hub token is set")
    advice = "only gated and private repositories need one: hf auth login, or HF_TOKEN"
    return note("token", "none", advice)
