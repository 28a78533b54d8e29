"""Addresses of media and data files: local paths, URLs, and fsspec chains of them.

A chain such as ``zip://a.wav::https://…`` names a file in a remote archive. Opens nothing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from quest22.errors import ClipError
from quest22.system import WINDOWS

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # one letter is a drive
_LOCAL_SCHEMES = frozenset({"file", "local"})
_ARCHIVE_SCHEMES = frozenset({"zip", "gzip", "bz2", "xz", "zstd", "lz4"})
_REMOTE_SCHEMES = frozenset(
    {"http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "oss"}
)
_SECRET = re.compile(r"token|secret|signature|credential|password|policy|^(sig|key|auth)$|^x-amz-")
_SAFE_IN_PATHS = "/:@!$&'()*+,;=~"
_PARAMETER = re.compile(r"([^=&]+)=([^&]*)")
_URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>)\],]+")


def is_url(address: str) -> bool:
    """True for anything with a scheme, chains included; False for a local path."""
    return _SCHEME.match(address) is not None


def is_remote(address: str) -> bool:
    """True if the bytes come from another machine; the last link of a chain decides."""
    scheme = _SCHEME.match(address.rsplit("::", maxsplit=1)[-1])
    return scheme is not None and scheme.group(1).lower() not in _LOCAL_SCHEMES


def redact(address: str) -> str:
    """The address without its secrets: a password, and signatures in the query."""
    return "::".join(_redact_link(link) for link in address.split("::"))


def redact_text(text: str) -> str:
    """A message with the secrets of every URL in it removed."""
    return _URL_IN_TEXT.sub(lambda match: redact(match.group()), text)


def _redact_link(link: str) -> str:
    if not is_url(link) or not ("@" in link or "?" in link):
        return link
    try:
        parts = urlsplit(link)
    except ValueError:  # no address of anything: what may be secret in it is cut off
        return re.sub(r"//[^/]*@", "//", link.partition("?")[0])
    if parts.scheme == "hf":
        return link  # its @ precedes a revision
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        (parts.scheme, host, parts.path, _PARAMETER.sub(_mask_value, parts.query), "")
    )


def _mask_value(parameter: re.Match[str]) -> str:
    name, value = parameter.groups()
    return f"{name}={'…' if _SECRET.search(name.lower()) else value}"


def folder_of(address: str) -> str:
    """The folder or URL that a data file is in, with forward slashes and none at the end."""
    if not is_url(address):
        return Path(address).parent.as_posix()
    return posixpath.dirname(address.partition("?")[0])


def common_folder(addresses: Sequence[str]) -> str | None:
    """The deepest common folder of all data files; None for no files."""
    folders = [folder_of(address).split("/") for address in addresses]
    shared = takewhile(lambda names: len(set(names)) == 1, zip(*folders, strict=False))
    return "/".join(names[0] for names in shared) if folders else None


def resolve(reference: str, folder: str | None) -> str:
    """The address of the media that a row of a data file in ``folder`` refers to.

    A relative path is relative to the data file's folder. Raises ClipError (stage ``source``) for
    a reference that would let a remote dataset read this machine's files.
    """
    if folder is None or not is_remote(folder):
        return _resolve_locally(reference, folder)
    if is_url(reference) or "::" in reference:
        return _checked_chain(reference)
    relative = posixpath.normpath(reference.replace("\\", "/"))
    if posixpath.isabs(relative) or relative.startswith(".."):
        raise ClipError(
            "source",
            f"the audio path {reference!r} points outside its remote dataset: expected a URL or a "
            "path below the folder of the data file",
        )
    if folder.lower().startswith(("http://", "https://")):
        relative = quote(relative, safe=_SAFE_IN_PATHS)
    return f"{folder}/{relative}"


def _resolve_locally(reference: str, folder: str | None) -> str:
    if is_url(reference):
        scheme, _, rest = reference.partition("://")
        if scheme.lower() not in _LOCAL_SCHEMES or "::" in rest:
            return reference
        rest = unquote(rest.removeprefix("localhost"))
        return re.sub(r"^/(?=[A-Za-z]:)", "", rest) if WINDOWS else rest
    path = Path(reference).expanduser()
    return str(path if folder is None or path.is_absolute() else Path(folder) / path)


def _checked_chain(reference: str) -> str:
    *outer, last = reference.split("::")
    schemes = [match.group(1).lower() for link in outer if (match := _SCHEME.match(link))]
    source = _SCHEME.match(last)
    known = source is not None and source.group(1).lower() in _REMOTE_SCHEMES
    if not known or len(schemes) < len(outer) or not _ARCHIVE_SCHEMES.issuperset(schemes):
        raise ClipError(
            "source",
            f"the audio address {redact(reference)!r} is not one a remote dataset may name: "
            f"expected one of {', '.join(sorted(_REMOTE_SCHEMES))}",
        )
    return reference
