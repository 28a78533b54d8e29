"""Errors of datasets, the Hub and the network, put into one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from quest22.errors import SourceError
from quest22.source.address import public_text

_LOG_IN = "log in (hf auth login) or set HF_TOKEN"
_REASONS = {
    "huggingface_hub.OfflineModeIsEnabled": "the Hub is switched off by HF_HUB_OFFLINE: unset it",
    "huggingface_hub.GatedRepoError": "it is gated: accept its terms on its page, then " + _LOG_IN,
    "huggingface_hub.RevisionNotFoundError": "there is no such revision: check --revision",
    "huggingface_hub.DisabledRepoError": "the Hub has disabled it",
    "huggingface_hub.RepositoryNotFoundError": "the Hub knows no such dataset, or it is private: "
    "check the name; if it is private, " + _LOG_IN,
    "botocore.NoCredentialsError": "S3 asks for credentials: set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or an AWS profile",
    "datasets.DataFilesNotFoundError": "no data files were found that can be read",
    "datasets.EmptyDatasetError": "no data files were found",
    "datasets.NonStreamableDatasetError": "the server does not answer Range requests, so this "
    "format cannot be streamed from it",
    "builtins.PermissionError": "access is denied: check the permissions or the credentials",
    "builtins.IsADirectoryError": "it is a folder, not a file",
}
_UNREACHED = frozenset(
    {
        "aiohttp.ClientConnectionError",
        "botocore.EndpointConnectionError",
        "botocore.ConnectTimeoutError",
        "builtins.ConnectionError",
        "builtins.TimeoutError",
        "socket.gaierror",
        "httpx.TransportError",
        "httpx2.TransportError",
        "requests.ConnectionError",
    }
)
_STATUS_REASONS = {
    401: "the server asks for a log-in: " + _LOG_IN,
    403: "access is refused: ask for access on its page, then " + _LOG_IN,
    404: "there is no such file or page: check the name",
    429: "the server asks to slow down (too many requests): try again later",
}
_SCRIPT = (
    "it needs a loading script, which is foreign code and never run: try its Parquet form, on the "
    "Hub often --revision refs/convert/parquet"
)
_MESSAGES = (
    (re.compile("Dataset scripts are no longer supported"), _SCRIPT),
    (
        re.compile(r"Bad split: (.+)\. Available splits: \[(.*)\]"),
        r"there is no split '\1': the splits are \2",
    ),
    (
        re.compile(r"BuilderConfig '(.+)' not found\. Available: \[(.*)\]"),
        r"there is no config '\1': the configs are \2",
    ),
    (
        re.compile(r"Config name is missing.*available configs: \[(.*?)\].*", re.DOTALL),
        r"it has several configs: name one of \1",
    ),
)
_LONGEST = 300


def reason_of(error: BaseException, what: str) -> str:
    """One line on why ``what`` could not be read, with what to do where that is known."""
    for link in _chain(error):
        known = _known_reason(link)
        if known:
            return f"{what}: {known}"
    first = next(iter(str(error).strip().splitlines()), "") or "no more is known"
    return f"{what}: {type(error).__name__}: {public_text(first)[:_LONGEST]}"


def source_error(error: BaseException, what: str) -> SourceError:
    """The SourceError that a foreign error becomes; raise it ``from`` that error."""
    return SourceError(reason_of(error, what))


def _known_reason(error: BaseException) -> str | None:
    names = [f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__]
    for name in names:
        if name in _REASONS:
            return _REASONS[name]
        if name in _UNREACHED:
            return "it cannot be reached: check the network and the address (HF_ENDPOINT, proxies)"
        if name == "builtins.FileNotFoundError":
            return f"no such file or address ({public_text(str(error))[:_LONGEST]})"
    for pattern, reason in _MESSAGES:
        match = pattern.search(str(error))
        if match:
            return match.expand(reason)
    status = getattr(error, "status", None) or getattr(
        getattr(error, "response", None), "status_code", None
    )
    if status in _STATUS_REASONS:
        return _STATUS_REASONS[status]
    return f"the server answered {status}" if isinstance(status, int) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The causes of an error, the deepest (which knows most) first."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return reversed(links)
