"""A prefix in an S3 bucket, on AWS or another server that knows conditional writes.

``If-None-Match: *`` lets one of those that create an object succeed, ``If-Match`` one of those that
replace it. Servers that ignore these headers are found out when the store is opened, and refused.
Keys and endpoints come from the environment and from AWS' files, as for every program.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quest22.cluster.ledger import LedgerUnavailableError
from quest22.cluster.object_store import Entry, Stored
from quest22.errors import MissingExtraError, SinkError, UsageError
from quest22.settings import RUN_FOLDER
from quest22.system.retry import causes

PRECONDITION_FAILED = 412
LASTING = frozenset({301, 307, 400, 401, 403, 404, 405, 501})
"""HTTP statuses that another try will meet again."""


class S3Store:
    """An :class:`quest22.cluster.object_store.ObjectStore`; its calls may come from any thread."""

    def __init__(self, address: str) -> None:
        """Raises :class:`UsageError` for an address without a bucket, or a missing extra."""
        try:
            from s3fs import S3FileSystem
        except ModuleNotFoundError as exc:
            raise MissingExtraError(f"the store {address}", "cluster") from exc

        self._bucket, _, prefix = address.partition("://")[2].strip("/").partition("/")
        if not self._bucket:
            raise UsageError(f"{address} names no bucket: expected s3://BUCKET/PREFIX")
        self._prefix = f"{prefix}/" if prefix else ""
        self._files = S3FileSystem(use_listings_cache=False)

    @property
    def shown(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def check_conditions(self) -> None:
        """Raise :class:`UsageError` if the server does not honour conditional writes."""
        name = f"{RUN_FOLDER}/probe-{uuid.uuid4().hex}"
        created = [self.create(name, b"") for _ in range(2)]
        self._call(name, "delete_object")
        if created != [True, False]:
            raise UsageError(
                f"{self.shown} ignores conditional writes (If-None-Match), so two workers could "
                "publish one unit: choose a store on S3 or a server that has them, or a folder"
            )

    def create(self, name: str, content: bytes | Path) -> bool:
        return self._put(name, content, IfNoneMatch="*")

    def write(self, name: str, content: bytes) -> None:
        self._put(name, content)

    def replace(self, name: str, content: bytes | Path, version: Hashable) -> bool:
        return self._put(name, content, IfMatch=version)

    def read(self, name: str) -> Stored | None:
        async def get() -> Stored:
            found = await self._files._call_s3(
                "get_object", Bucket=self._bucket, Key=self._prefix + name
            )
            async with found["Body"] as body:
                return Stored(await body.read(), found["ETag"])

        with self._told(name):
            try:
                return self._wait(get)
            except FileNotFoundError:
                return None

    def exists(self, name: str) -> bool:
        return self._head(name) is not None

    def holds(self, name: str, path: Path) -> bool:
        content = path.read_bytes()
        head = self._head(name)
        if head is None or head["ContentLength"] != len(content):
            return False
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if head["ETag"].strip('"') == md5:
            return True
        stored = self.read(name)  # encrypted objects have other tags
        return stored is not None and stored.content == content

    def listing(self, folder: str) -> Iterator[Entry]:
        prefix = f"{self._prefix}{folder}/"
        more: dict[str, str] = {}
        while True:
            with self._told(folder):
                page = self._files.call_s3(
                    "list_objects_v2", Bucket=self._bucket, Prefix=prefix, Delimiter="/", **more
                )
            for each in page.get("Contents", ()):
                tag = each["ETag"]
                yield Entry(each["Key"].removeprefix(prefix), lambda tag=tag: tag)  # type: ignore[misc]
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _put(self, name: str, content: bytes | Path, **condition: Any) -> bool:
        """Write an object, whole or not at all; False if the condition is not met."""
        body = content.read_bytes() if isinstance(content, Path) else content
        try:
            self._call(name, "put_object", Body=body, **condition)
        except FileNotFoundError:
            if "IfMatch" not in condition:
                raise
            return False
        except SinkError as exc:
            if not condition or _status(exc) != PRECONDITION_FAILED:
                raise
            return False
        return True

    def _head(self, name: str) -> Any:
        with self._told(name):
            try:
                return self._files.call_s3(
                    "head_object", Bucket=self._bucket, Key=self._prefix + name
                )
            except FileNotFoundError:
                return None

    def _call(self, name: str, method: str, **arguments: Any) -> Any:
        with self._told(name):
            return self._files.call_s3(
                method, Bucket=self._bucket, Key=self._prefix + name, **arguments
            )

    def _wait(self, call: Callable[[], Awaitable[Stored]]) -> Stored:
        from fsspec.asyn import sync

        stored: Stored = sync(self._files.loop, call)
        return stored

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Translate errors into what workers wait for, and what ends them."""
        try:
            yield
        except FileNotFoundError as exc:
            if not _is_code(exc, "NoSuchBucket"):
                raise
            raise SinkError(f"there is no bucket {self._bucket}: create it first") from exc
        except Exception as exc:
            status, told = _status(exc), f"{self.shown}/{name}: {_reason(exc)}"
            if status == PRECONDITION_FAILED:
                raise SinkError(f"{told}: it is there already") from exc
            if status in LASTING or type(exc).__name__ == "NoCredentialsError":
                raise SinkError(
                    f"{told}; check the keys (AWS_ACCESS_KEY_ID …), their rights, the region and "
                    "AWS_ENDPOINT_URL"
                ) from exc
            raise LedgerUnavailableError(told) from exc


def _response(error: BaseException) -> dict[str, Any]:
    """The response that S3 gave, if an error came of one."""
    for cause in causes(error):
        response = getattr(cause, "response", None)
        if isinstance(response, dict):
            return response
    return {}


def _status(error: BaseException) -> int | None:
    status = _response(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None


def _is_code(error: BaseException, code: str) -> bool:
    return bool(_response(error).get("Error", {}).get("Code") == code)


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
