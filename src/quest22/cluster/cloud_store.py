"""A prefix in a bucket of Google Cloud Storage, or in a container of Azure Blob Storage.

Both are spoken to by obstore, whose conditional writes are generations on Google's side
(``x-goog-if-generation-match``) and tags on Azure's (``If-None-Match``, ``If-Match``). Credentials
come from where each cloud's own programs find them.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from quest22.cluster.ledger import LedgerUnavailableError
from quest22.cluster.object_store import Entry, Stored
from quest22.errors import MissingExtraError, SinkError, UsageError
from quest22.settings import RUN_FOLDER
from quest22.system.forks import HomeProcess

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutMode
    from obstore.store import AzureStore, GCSStore

RETRIES: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}
"""Few: whoever uses the store waits for it, and says so."""

CREDENTIALS = {
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, gcloud auth application-default login, or the machine's "
    "service account",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or the machine's identity",
}
SCHEMES = frozenset(CREDENTIALS)

LASTING = frozenset({400, 401, 403, 404, 405, 501})
"""HTTP statuses that another try will meet again."""
_STATUS = re.compile(r"status code: (\d{3})")


class CloudStore:
    """An :class:`quest22.cluster.object_store.ObjectStore`; its calls may come from any thread.

    Not from a forked child of a process that has used one: it would wait for threads of obstore
    that it does not have, and is told so.
    """

    _home: ClassVar[HomeProcess | None] = None

    def __init__(self, address: str, client_options: dict[str, Any] | None = None) -> None:
        """``client_options`` are obstore's, for how it connects.

        Raises :class:`UsageError` for an address without a bucket, or settings that cannot be; and
        :class:`MissingExtraError`.
        """
        try:
            import obstore
        except ModuleNotFoundError as exc:
            raise MissingExtraError(f"the store {address}", "cluster") from exc

        scheme, _, rest = address.partition("://")
        bucket, _, self._prefix = rest.strip("/").partition("/")
        self._scheme = scheme.lower()
        if not bucket:
            raise UsageError(f"{address} names no bucket: expected {self._scheme}://BUCKET/PREFIX")
        self._bucket = bucket
        self._obstore = obstore
        with self._told(""):
            self._store = self._open(client_options)

    def _open(self, client_options: dict[str, Any] | None) -> GCSStore | AzureStore:
        from obstore.store import AzureStore, GCSStore

        kind: Any = GCSStore if self._scheme == "gs" else AzureStore
        store: GCSStore | AzureStore = kind(
            self._bucket,
            prefix=self._prefix or None,
            client_options=client_options,
            retry_config=RETRIES,
        )
        return store

    @property
    def shown(self) -> str:
        return f"{self._scheme}://{self._bucket}/{self._prefix}".rstrip("/")

    def check_conditions(self) -> None:
        """Raise :class:`UsageError` if the server does not honour conditional writes."""
        name = f"{RUN_FOLDER}/probe-{uuid.uuid4().hex}"
        created = [self.create(name, b"") for _ in range(2)]
        with self._told(name):
            self._obstore.delete(self._store, name)
        if created != [True, False]:
            raise UsageError(
                f"{self.shown} ignores conditional writes, so two workers could publish one unit: "
                "choose a store on a server that has them, or a folder"
            )

    def create(self, name: str, content: bytes | Path) -> bool:
        return self._put(name, content, "create")

    def write(self, name: str, content: bytes) -> None:
        self._put(name, content, "overwrite")

    def replace(self, name: str, content: bytes | Path, version: Hashable) -> bool:
        return self._put(name, content, dict(version))  # type: ignore[call-overload]

    def read(self, name: str) -> Stored | None:
        with self._told(name):
            try:
                found = self._obstore.get(self._store, name)
                content = bytes(found.bytes())
            except FileNotFoundError:
                return None
            return Stored(content, _version(found.meta))

    def exists(self, name: str) -> bool:
        return self._size(name) is not None

    def holds(self, name: str, path: Path) -> bool:
        if self._size(name) != path.stat().st_size:
            return False
        stored = self.read(name)
        return stored is not None and stored.content == path.read_bytes()

    def listing(self, folder: str) -> Iterator[Entry]:
        with self._told(folder):
            found = self._obstore.list_with_delimiter(self._store, folder)
        for each in found["objects"]:
            tag = each["e_tag"]
            yield Entry(each["path"].rpartition("/")[2], lambda tag=tag: tag)  # type: ignore[misc]

    def _size(self, name: str) -> int | None:
        with self._told(name):
            try:
                return int(self._obstore.head(self._store, name)["size"])
            except FileNotFoundError:
                return None

    def _put(self, name: str, content: bytes | Path, mode: PutMode) -> bool:
        """Write an object, whole or not at all; False if the condition is not met."""
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        body = content.read_bytes() if isinstance(content, Path) else content
        with self._told(name):
            try:
                self._obstore.put(self._store, name, body, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return False
            except FileNotFoundError:
                if mode in ("create", "overwrite"):  # a name that is not there cannot be replaced
                    raise
                return False
            return True

    def _check_process(self) -> None:
        home = CloudStore._home = CloudStore._home or HomeProcess()
        if not home.is_here:
            raise UsageError(
                f"{self.shown} cannot be used in a process that was forked from one that has used "
                'such a store: start processes by the method "spawn"'
            )

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Translate errors into what workers wait for, and what ends them."""
        from obstore import exceptions

        self._check_process()

        try:
            yield
        except FileNotFoundError as exc:
            raise SinkError(f"there is no bucket {self._bucket}: create it first") from exc
        except (exceptions.BaseError, OSError, ValueError) as exc:
            told = f"{self.shown}/{name}: {_reason(exc)}"
            if not _is_lasting(exc):
                raise LedgerUnavailableError(told) from exc
            raise SinkError(
                f"{told}; check the credentials ({CREDENTIALS[self._scheme]}) and their rights"
            ) from exc


def _version(meta: ObjectMeta) -> Hashable:
    """What obstore needs to replace an object: a generation for Google, a tag for Azure."""
    known = {"e_tag": meta["e_tag"], "version": meta["version"]}
    return tuple((name, each) for name, each in known.items() if each is not None)


def _is_lasting(error: BaseException) -> bool:
    """Whether another try will meet it again; listings tell refusals in their text alone."""
    from obstore import exceptions

    lasting = (
        exceptions.PermissionDeniedError,
        exceptions.UnauthenticatedError,
        exceptions.InvalidPathError,
        exceptions.NotSupportedError,
        ValueError,
    )
    status = _STATUS.search(str(error))
    return isinstance(error, lasting) or (status is not None and int(status[1]) in LASTING)


def _reason(error: BaseException) -> str:
    """An error's first line; the others repeat it as Rust's debugging shows it."""
    lines = str(error).strip().splitlines()
    return " ".join(lines[0].split())[:300] if lines else type(error).__name__
