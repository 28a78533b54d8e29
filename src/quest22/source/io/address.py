"""Addresses of media and data files: local paths, URLs, and fsspec chains of them.

A chain such as ``zip://a.wav::https://…`` names a file in a remote archive. Opens nothing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from ipaddress import ip_address
from itertools import takewhile
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from quest22.errors import ClipError
from quest22.system import WINDOWS

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # one letter is a drive
_LOCAL_SCHEMES = frozenset({"file", "local"})
_ARCHIVE_SCHEMES = frozenset({"zip", "gzip", "bz2", "xz", "zstd", "lz4"})
_REMOTE_SCHEMES = frozenset(
    {"http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "oss"}
)
_CONTAINER_SCHEMES = frozenset({"abfs", "abfss", "wasb", "wasbs"})
"""Schemes whose ``@`` follows the name of a container, not a password."""
_IP_HOST = re.compile(r"(?<=:)//(?:[^/@\[]*@)?\[[0-9A-Fa-f:.]+\]")
"""An IPv6 address as the host of a URL; its ``::`` parts no chain."""
_SAFE_IN_PATHS = "/:@!$&'()*+,;=~"
_LINK = re.compile(r"((?:[A-Za-z][A-Za-z0-9+.-]+)://|(?:https?|ftp|s3):/+)([^/?#]*)(.*)", re.DOTALL)
_NEXT_LINK = re.compile(r"::(?=[A-Za-z][A-Za-z0-9+.-]+://)")
_QUERY = re.compile(r"([^?#]*)[?#](.*)", re.DOTALL)
_QUERY_OF_STORE = re.compile(r"(.*?)\?([\w.-]+=.*)", re.DOTALL)
"""In a store, ``?`` may be part of a name."""
_PATH_PARAMETER = re.compile(r";[\w.-]+=[^/;]*")
_URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/{1,2}[^\s'\"<>)\],?#]+(?:[?#][^\s'\"<>]*)?")
_QUERY_IN_TEXT = re.compile(r"\?[\w.%~-]+=[^\s'\"<>]*")
_USER_ALONE = re.compile(r"((?<![^\s'\"])(?:https?:|ftp:|[/\\]{2})[/\\]*)[^/\\\s:@]*:[^/\\\s@]*@")
"""A user and password where no address is: it lacks its scheme or its slashes."""
_HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}")
HIDDEN = "?…"
"""Stands for the query of an address; a number may follow, which tells several apart."""
_HIDDEN_QUERY = re.compile(r"…\d{0,6}")


def is_url(address: str) -> bool:
    """True for anything with a scheme, chains included; False for a local path."""
    return _SCHEME.match(address) is not None


def without_ip_host(address: str) -> str:
    """The address with a word for an IPv6 address in it, which looks like a chain or a pattern."""
    return _IP_HOST.sub("//host", address)


def is_chain(address: str) -> bool:
    """True for an address with ``::``, unless that is part of an IPv6 address."""
    return "::" in without_ip_host(address)


def problem_of_url(address: str) -> str | None:
    """Why a web address is none; None for one that may be, and for anything else."""
    last = links(address)[-1]
    if not last.lower().startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(last)
        problem = None if parts.hostname and parts.port != 0 else "it names no server"
    except ValueError as exc:
        problem = str(exc)
    return problem and f"{redact(address)} is no address ({problem}): check how it is spelt"


def is_remote(address: str) -> bool:
    """True if the bytes come from another machine; the last link of a chain decides."""
    last = without_ip_host(address).rsplit("::", maxsplit=1)[-1]
    scheme = _SCHEME.match(last)
    return scheme is not None and scheme.group(1).lower() not in _LOCAL_SCHEMES


def is_here(host: str) -> bool:
    """True for a host that is this machine, or its own network link."""
    host = host.strip("[]").rstrip(".").lower()
    try:
        address = ip_address(host)
    except ValueError:
        return _is_old_number(host) or host == "localhost" or host.endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_link_local or address.is_unspecified


def _is_old_number(host: str) -> bool:
    """Whether a host is an IPv4 address in a form such as ``0x7f.1``, which hides what it is."""
    return re.fullmatch(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+)){0,3}", host) is not None


def redact(address: str) -> str:
    """The address without what may be secret: no user, no password and nothing of a query."""
    return "::".join(_redact_link(link) for link in links(address))


def links(address: str) -> list[str]:
    """The links of a chain such as ``zip://a.wav::https://…``; any other address is one."""
    return _NEXT_LINK.split(address)


def redact_text(text: str) -> str:
    """A message without what may be secret in it: the users and queries of URLs, tokens."""
    return _HUB_TOKEN.sub("hf_…", _QUERY_IN_TEXT.sub(HIDDEN, _redact_urls(text)))


def _redact_urls(text: str) -> str:
    """A text, or what is no clean address, without the users and queries of URLs in it."""
    text = _URL_IN_TEXT.sub(
        lambda url: "::".join(map(_redact_whole_link, links(url.group()))), text
    )
    return _USER_ALONE.sub(r"\1", text)


def _redact_link(link: str) -> str:
    return _redact_urls(link) if split_link(link) is None else _redact_whole_link(link)


def _redact_whole_link(link: str) -> str:
    parts = split_link(link)
    if parts is None:
        return link
    start, _, path, query = parts
    if query is None:
        return start + path
    return start + path + (f"?{query}" if _HIDDEN_QUERY.fullmatch(query) else HIDDEN)


def split_link(link: str) -> tuple[str, str, str, str | None] | None:
    """Scheme and host, user and password, path, and query or fragment; None for a local path."""
    match = _LINK.match(link)
    if match is None:
        return None
    scheme, authority, rest = match.groups()
    name = scheme.partition(":")[0].lower()
    user, _, host = authority.rpartition("@")
    if (name in _CONTAINER_SCHEMES and ":" not in user) or (name == "hf" and user[:3] != "hf_"):
        user, host = "", authority
    in_store = name in _REMOTE_SCHEMES - {"http", "https"} or name in _LOCAL_SCHEMES
    found = (_QUERY_OF_STORE if in_store else _QUERY).fullmatch(rest)
    path, query = found.groups() if found else (rest, None)
    if not in_store:
        path = _PATH_PARAMETER.sub(";…", path)
    return scheme + host, user, path, query


def distinct_names(addresses: Sequence[str]) -> list[str]:
    """The addresses as they are shown; those that differ in their queries only are numbered."""
    numbers: dict[str, dict[str, int]] = {}
    names = []
    for address in addresses:
        name = redact(address)
        same = numbers.setdefault(name, {})
        number = same.setdefault(address, len(same) + 1)
        names.append(f"{name}{number}" if number > 1 and name.endswith(HIDDEN) else name)
    return names


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
    a reference that would let a remote dataset read this machine's files or services.
    """
    if folder is None or not is_remote(folder):
        return _resolve_locally(reference, folder)
    if is_url(reference) or "::" in reference:
        _refuse_own_machine(reference, folder)
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


def _refuse_own_machine(reference: str, folder: str) -> None:
    """Refuse what a dataset from another machine may not ask this one for, such as its services."""
    if is_here(_host_of(reference)) and not is_here(_host_of(folder)):
        raise ClipError(
            "source",
            f"the audio address {redact(reference)!r} is on this machine or its own network link: "
            "a remote dataset may not name such",
        )


def _host_of(address: str) -> str:
    """The host that an address or a chain is read from; empty for a store, or if it has none."""
    last = links(address)[-1]
    if not last.lower().startswith(("http://", "https://")):
        return ""
    try:
        return urlsplit(last).hostname or ""
    except ValueError:  # no address, which opening it will tell
        return ""


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
    *outer, last = without_ip_host(reference).split("::")
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
