"""Addresses of a run's sources without their secrets, recognisable when they are given again.

Of an address ``https://host/a.tar?id=7&sig=…`` a journal keeps ``https://host/a.tar?…`` and a keyed
hash of those parameters that say which file it is. So the same address with a new signature is the
same dataset, and one with another ``id`` is another. The key lies beside the journal.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from quest22.errors import UsageError
from quest22.settings import RUN_FOLDER, DatasetSettings
from quest22.sink.files import writing
from quest22.source.io.address import HIDDEN, links, redact, redact_text, split_link
from quest22.source.locate import BUILDERS
from quest22.system.private_files import make_private_folder, write_private

KEY = f"{RUN_FOLDER}/key"
_KEY_BYTES = 32
_HASH_DIGITS = 16
_SEALED = re.compile(rf"{re.escape(HIDDEN)}[0-9a-f]{{{_HASH_DIGITS}}}")
_SOURCES = ("dataset", "files")
"""Groups of a plan that name where sound comes from."""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_CREDENTIALS = (
    "access amz apikey auth authorization awsaccesskeyid code cred credential credentials digest "
    "exp expire expires expiry goog googleaccessid hash hmac jwt key md5 nonce oss otp pass passwd "
    "password policy pw pwd sas se secret session sessionid sid sig sign signature sip skoid sktid "
    "sks ske skt skv sp spr sr st sv ticket timestamp token ts"
)
"""Words in the names of parameters that say who asks and until when, not for what."""
_RANDOM = re.compile(r"(?=(?:.*[0-9]){3})(?=(?:.*[A-Za-z]){3})[A-Za-z0-9+/=_%~-]{16,}")
_NAMES_A_FILE = "dataset file id name object part path shard split version"


class Seal:
    """Seals the addresses in plans with the key of a folder, which is made when it is needed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / KEY
        self._key = b""

    def plan(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """A plan without secrets; one that is sealed stays as it is."""
        return {
            name: self._sealed(value) if name in _SOURCES else value for name, value in plan.items()
        }

    def _sealed(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.address(value)
        if isinstance(value, Mapping):
            return {name: self._sealed(each) for name, each in value.items()}
        return [self._sealed(each) for each in value] if isinstance(value, list | tuple) else value

    def address(self, address: str) -> str:
        """An address without its secrets; one without any, or sealed already, stays as it is."""
        shown = redact(address)
        if shown == address or is_sealed(address):
            return address
        told = "\n".join(_identity(address)).encode("utf-8", "surrogatepass")
        digest = hmac.new(self._read_key(), told, "sha256").hexdigest()[:_HASH_DIGITS]
        return f"{shown.removesuffix(HIDDEN)}{HIDDEN}{digest}"

    def _read_key(self) -> bytes:
        if not self._key:
            with writing(self._path):
                make_private_folder(self._path.parent)
                if not self._path.exists():
                    write_private(self._path, secrets.token_bytes(_KEY_BYTES))
                self._key = self._path.read_bytes()
        return self._key


def with_secrets(
    settings: DatasetSettings, addresses: Sequence[str], seal: Seal, command: str
) -> DatasetSettings:
    """The settings of a run's plan with the addresses of its dataset, given again in full.

    Raises :class:`UsageError` if they are others than the run's, or if one is missing, which
    ``command`` takes.
    """
    before = _addresses(settings)
    if addresses and [seal.address(each) for each in addresses] != before:
        raise UsageError(
            f"the run's dataset is {_told(before)}, not {_told(addresses)}: give the run's address"
        )
    now = list(addresses) or before
    if any(map(is_sealed, now)):
        flags = " ".join(f"--dataset '{redact(each)}'" for each in now)
        raise UsageError(
            f"the address of the run's dataset, {_told(now)}, has a query or password, which no "
            f"run keeps: give it again in full: {command} {flags}"
        )
    if settings.path in BUILDERS:
        return replace(settings, data_files=tuple(now))
    return replace(settings, path=now[0], data_files=tuple(now[1:]))


def _addresses(settings: DatasetSettings) -> list[str]:
    """The dataset and its data files; these alone, if the dataset is but their format."""
    path = [] if settings.path in BUILDERS else [settings.path]
    return [*path, *settings.data_files]


def _told(addresses: Iterable[str]) -> str:
    return " ".join(map(redact, addresses))


def is_sealed(address: str) -> bool:
    """Whether an address lacks what is needed to reach it."""
    return _SEALED.search(address) is not None


def without_secrets(plan: Mapping[str, Any]) -> dict[str, Any]:
    """A flat plan as people may see it."""
    return {name: _shown(value) for name, value in plan.items()}


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    return [_shown(each) for each in value] if isinstance(value, list | tuple) else value


def _identity(address: str) -> Iterator[str]:
    """The parameters of an address that say which file it is."""
    for link in links(address):
        parts = split_link(link)
        for parameter in re.split("[&;]", (parts and parts[3]) or ""):
            name, _, value = parameter.partition("=")
            if parameter and not _is_credential(unquote_plus(name), unquote_plus(value)):
                yield parameter


def _is_credential(name: str, value: str) -> bool:
    words = {word.lower() for word in _WORD.findall(name)} | {name.lower()}
    if not words.isdisjoint(_CREDENTIALS.split()):
        return True
    return words.isdisjoint(_NAMES_A_FILE.split()) and _RANDOM.fullmatch(value) is not None
