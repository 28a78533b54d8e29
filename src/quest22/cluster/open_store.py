"""Opens the store that an address names."""

from __future__ import annotations

import re
from pathlib import Path

from quest22.cluster.folder_store import FolderStore
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.s3_store import S3Store
from quest22.errors import UsageError
from quest22.source.io.address import redact

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://.*", re.DOTALL)


def open_store(address: str) -> ObjectStore:
    """The store at an address: a folder, or ``s3://bucket/prefix``.

    Raises :class:`UsageError` for any other store, and for one without conditional writes, where
    two workers could publish one unit.
    """
    scheme = _SCHEME.fullmatch(address)
    if scheme is None:
        folder = FolderStore(Path(address).expanduser())
        folder.remove_leftovers()
        return folder
    if scheme[1].lower() in ("s3", "s3a"):
        return _s3(address)
    raise UsageError(
        f"{redact(address)} is no store that workers can share: expected a folder, or "
        "s3://BUCKET/PREFIX"
    )


def _s3(address: str) -> S3Store:
    store = S3Store(address)
    store.check_conditions()
    return store
