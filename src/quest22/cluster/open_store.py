"""Opens the store that an address names."""

from __future__ import annotations

import re
from pathlib import Path

from quest22.cluster.cloud_store import SCHEMES, CloudStore
from quest22.cluster.folder_store import FolderStore
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.s3_store import S3Store
from quest22.errors import UsageError
from quest22.source.io.address import redact

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://.*", re.DOTALL)


def open_store(address: str) -> ObjectStore:
    """The store at an address: a folder, or a prefix of ``s3://…``, ``gs://…``, ``az://…``.

    Raises :class:`UsageError` for any other store, and for one without conditional writes, where
    two workers could publish one unit.
    """
    scheme = _SCHEME.fullmatch(address)
    if scheme is None:
        folder = FolderStore(Path(address).expanduser())
        folder.remove_leftovers()
        return folder
    name = scheme[1].lower()
    if name not in ("s3", "s3a", *SCHEMES):
        raise UsageError(
            f"{redact(address)} is no store that workers can share: expected a folder, "
            "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
        )
    store = CloudStore(address) if name in SCHEMES else S3Store(address)
    store.check_conditions()
    return store
