"""Errors of datasets, the Hub and the network: which are transient, and one line for each.

:func:`is_transient` decides what is retried (lost connections, time-outs, 408, 429, 500 and above);
:func:`reason_of` writes the line that a user reads, with what to do.
"""

from __future__ import annotations

import errno
import re
from urllib.parse import urlsplit

from quest22.errors import Quest22Error, SourceError
from quest22.source.io.address import redact_text
from quest22.source.limits import LimitError
from quest22.system.retry import causes, is_transient_status, status_of

_LOG_IN = "log in (hf auth login) or set HF_TOKEN"
_TRY_LATER = "try again later"
_GATED = "it is gated: accept its terms on its page, then " + _LOG_IN
_UNKNOWN = (
    "the Hub knows no such dataset, or it is private: check the name; if it is private, " + _LOG_IN
)
_UNREACHABLE = "it cannot be reached: check the network and the address (HF_ENDPOINT, proxies)"
_NO_RANGES = (
    "the server answers no Range requests, so this format cannot be streamed from it: download "
    "the file, or serve it from a server that does"
)
_REASONS = {
    "huggingface_hub.OfflineModeIsEnabled": "the Hub is switched off by HF_HUB_OFFLINE: unset it",
    "huggingface_hub.GatedRepoError": _GATED,
    "huggingface_hub.HFValidationError": "this is no name that the Hub allows: expected org/name",
    "huggingface_hub.RevisionNotFoundError": "there is no such revision: check --revision",
    "huggingface_hub.DisabledRepoError": "the Hub has disabled it",
    "huggingface_hub.RepositoryNotFoundError": _UNKNOWN,
    "botocore.NoCredentialsError": "S3 asks for credentials: set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY or AWS_PROFILE; for a public bucket set FSSPEC_S3_ANON=true",
    "datasets.DataFilesNotFoundError": "no data files were found that can be read",
    "datasets.EmptyDatasetError": "no data files were found",
    "datasets.NonStreamableDatasetError": _NO_RANGES,
    "builtins.PermissionError": "access is denied: check the permissions or the credentials",
    "builtins.IsADirectoryError": "it is a folder, not a file",
}
_CONNECTION_ERRORS = frozenset(
    {
        "aiohttp.ClientConnectionError",
        "aiohttp.ClientPayloadError",
        "botocore.HTTPClientError",
        "botocore.EndpointConnectionError",
        "botocore.ConnectTimeoutError",
        "builtins.ConnectionError",
        "asyncio.TimeoutError",
        "builtins.TimeoutError",
        "socket.gaierror",
        "httpx.TransportError",
        "httpx2.TransportError",
        "requests.ConnectionError",
    }
)
_KINDS = {
    "time-out": frozenset(
        {
            "builtins.TimeoutError",
            "asyncio.TimeoutError",
            "aiohttp.ServerTimeoutError",
            "botocore.ConnectTimeoutError",
            "botocore.ReadTimeoutError",
            "httpx.TimeoutException",
            "httpx2.TimeoutException",
        }
    ),
    "connection refused": frozenset({"builtins.ConnectionRefusedError"}),
    "body cut off": frozenset(
        {"quest22.CutOffError", "aiohttp.ClientPayloadError", "botocore.IncompleteReadError"}
    ),
}
"""Names of network errors as retries are counted; all others are lost connections."""
_STATUS_REASONS = {
    401: "the server asks for a log-in: " + _LOG_IN,
    403: "access is refused: ask for access on its page, then " + _LOG_IN,
    408: f"the server waited in vain for the request: {_TRY_LATER}",
    404: "there is no such file or page: check the name",
    429: "the server asks to slow down (too many requests): " + _TRY_LATER,
}
_SCRIPT = (
    "it needs a loading script, which is foreign code and never run: try its Parquet form, on the "
    "Hub often --revision refs/convert/parquet"
)
_MESSAGES = (
    # datasets cuts off the causes of these three
    (re.compile("is a gated dataset on the Hub"), _GATED),
    (re.compile("doesn't exist on the Hub or cannot be accessed"), _UNKNOWN),
    (re.compile("Couldn't reach .* on the Hub"), _UNREACHABLE),
    (
        re.compile("(?i)install s3fs"),
        "S3 needs packages that are not installed; run: pip install 'quest22[s3]'",
    ),
    (
        re.compile("Parquet magic bytes not found|Parquet file size is [0-9]+ bytes"),
        "it is no Parquet file, or it breaks off before its end: fetch or upload it again",
    ),
    (
        re.compile("Couldn't deserialize thrift"),
        "it is damaged here: what describes its pages cannot be read",
    ),
    (re.compile("Cannot seek streaming HTTP file|support range requests"), _NO_RANGES),
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
_MAX_MESSAGE = 300


_DAMAGE = frozenset(
    {
        "builtins.EOFError",
        "builtins.ValueError",
        "gzip.BadGzipFile",
        "lzma.LZMAError",
        "pyarrow.ArrowException",
        "quest22.LimitError",
        "quest22.TarError",
        "zlib.error",
    }
)
"""Names of errors in the bytes of a file, which come again however often it is read."""


_GONE = frozenset({404, 410})
_NOT_ALLOWED = frozenset({401, 402, 403, 405, 451})
_CERTIFICATE_ERRORS = frozenset(
    {"aiohttp.ClientConnectorCertificateError", "ssl.SSLCertVerificationError"}
)


class OddResponseError(Exception):
    """A server's response is not what HTTP allows, or not what was asked for."""


class WebPageError(OddResponseError):
    """A server sends a web page in place of a file."""


class CutOffError(ConnectionError):
    """Fewer bytes arrived than were requested."""


class SourceChangedError(SourceError):
    """A file is no longer the one that the run began to read."""


def reason_of(error: BaseException, what: str) -> str:
    """One line on why ``what`` could not be read, and what to do if that is known."""
    if isinstance(error, Quest22Error):
        return str(error)
    links = causes(error)
    # Most specific first: the error's class, then its message, then the HTTP status.
    for describe in (_by_kind, _by_name, _by_message, _by_status, _by_absence):
        for link in links:
            reason = describe(link)
            if reason:
                return f"{what}: {reason}"
    first = next(iter(str(error).strip().splitlines()), "") or "no more is known"
    if isinstance(error, LimitError):
        return f"{what}: {first}"
    return f"{what}: {type(error).__name__}: {redact_text(first)[:_MAX_MESSAGE]}"


def is_transient(error: BaseException) -> bool:
    """True if a server fails, perhaps for all its files: no connection, or status 5xx, 408, 429."""
    links = causes(error)
    if any(_is_certificate_error(link) or isinstance(link, OddResponseError) for link in links):
        return False
    return any(
        _by_name(link) == _UNREACHABLE or is_transient_status(status_of(link)) for link in links
    )


def is_passing(error: BaseException, *, read_before: bool) -> bool:
    """True for an error of reading a remote file that another try may not meet.

    That is any but a clear "no such file" and "not allowed". A file that was ``read_before``
    exists, whatever its server says now.
    """
    links = causes(error)
    if any(_is_certificate_error(link) or isinstance(link, Quest22Error) for link in links):
        return False
    statuses = {status for link in links if (status := status_of(link)) is not None}
    if statuses & _NOT_ALLOWED:
        return False
    if statuses & _GONE or any(isinstance(link, FileNotFoundError) for link in links):
        return read_before
    if any(isinstance(link, WebPageError) for link in links):
        return read_before
    odd = any(isinstance(link, OddResponseError) for link in links)
    return odd or bool(statuses) or is_transient(error)


def has_answered(error: BaseException) -> bool:
    """True if the error is a server's response, so that there is a server."""
    return any(
        status_of(link) is not None or isinstance(link, OddResponseError) for link in causes(error)
    )


def is_damage(error: BaseException) -> bool:
    """True if a file's bytes are at fault, not the way to them: reading it again cannot help."""
    if any(_by_name(link) or status_of(link) is not None for link in causes(error)):
        return False
    if isinstance(error, OSError):  # bz2's errors have no number
        return error.errno is None and not isinstance(error, ConnectionError)
    return not _DAMAGE.isdisjoint(_names(error))


def error_kind(error: BaseException) -> str:
    """The kind of a network error in a word or two, such as ``HTTP 503``."""
    links = causes(error)
    if any(isinstance(link, OddResponseError) for link in links):
        return "odd response"
    for link in links:
        status = status_of(link)
        if status is not None:
            return f"HTTP {status}"
    names = {name for link in links for name in _names(link)}
    return next((kind for kind, errors in _KINDS.items() if errors & names), "connection lost")


def responding_host(error: BaseException) -> str | None:
    """The host that responded with an error, perhaps after a redirect."""
    for link in causes(error):
        url = getattr(getattr(link, "request_info", None), "real_url", None)
        if url is None:
            url = getattr(getattr(link, "response", None), "url", None)
        if url is not None:
            return urlsplit(str(url)).netloc or None
    return None


def is_auth_error(error: BaseException) -> bool:
    """True for 401 and 403: a token or a signed address may have expired and be renewed."""
    return any(status_of(link) in {401, 403} for link in causes(error))


def source_error(error: BaseException, what: str) -> SourceError:
    """The SourceError for a library's error; raise it ``from`` that error."""
    return SourceError(reason_of(error, what))


def _names(error: BaseException) -> list[str]:
    """Class names of an error with their top-level packages, most derived first."""
    return [f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__]


def _is_certificate_error(error: BaseException) -> bool:
    return not _CERTIFICATE_ERRORS.isdisjoint(_names(error))


def _by_kind(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "no space is left for temporary files: free some, or set TMPDIR to a larger disk"
    if isinstance(error, OddResponseError):
        return f"the server's response is odd: {error}"
    if _is_certificate_error(error):
        return "its server's certificate is not trusted: check the address and this machine's clock"
    return None


def _by_name(error: BaseException) -> str | None:
    for name in _names(error):
        if name in _REASONS:
            return _REASONS[name]
        if name in _CONNECTION_ERRORS:
            return _UNREACHABLE
    return None


def _by_message(error: BaseException) -> str | None:
    for pattern, reason in _MESSAGES:
        match = pattern.search(str(error))
        if match:
            return match.expand(reason)
    return None


def _by_status(error: BaseException) -> str | None:
    status = status_of(error)
    if status is None:
        return None
    advice = f": {_TRY_LATER}" if status >= 500 else ""
    return _STATUS_REASONS.get(status) or f"the server answered {status}{advice}"


def _by_absence(error: BaseException) -> str | None:
    if not isinstance(error, FileNotFoundError):
        return None
    return f"no such file or address ({redact_text(str(error))[:_MAX_MESSAGE]})"
