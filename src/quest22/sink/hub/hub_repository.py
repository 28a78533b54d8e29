"""The dataset repository on the Hub that a run writes to: find or create, claim, commit.

The only place where sinks use the network. Transient failures are retried; all others become
one-line errors. Knows nothing of transcripts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from quest22.errors import Quest22Error, SinkError, UsageError
from quest22.settings import silence_telemetry
from quest22.sink.hub.hub_errors import describe_error, hub_error

if TYPE_CHECKING:
    from huggingface_hub import HfApi, RepoFile

RECORD = "quest22.json"
"""The file that records which run a repository belongs to, and how far the run has come."""

HUB_OWN_FILE = ".gitattributes"
"""The Hub creates it in every repository; it is neither counted as content nor deleted."""

LOG_FROM_S = 4.0
"""A retry is logged once its delay is this long, so that a waiting user knows why."""

Content = Path | bytes
Response = TypeVar("Response")

_log = logging.getLogger("quest22")


@dataclass(frozen=True, slots=True)
class HubSettings:
    """The repository to publish to, and how often to commit: by time or by number of rows."""

    repository: str
    private: bool = False
    commit_seconds: float | None = 600.0
    commit_rows: int | None = None
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long what fails is tried again: waits double from the first, in all so many seconds."""

    total_s: float = 900.0
    first_s: float = 1.0
    longest_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def waits(self) -> list[float]:
        """Seconds to wait before each new try, with up to a quarter more by chance."""
        waits: list[float] = []
        wait = self.first_s
        while sum(waits) < self.total_s:
            waits.append(wait * random.uniform(1.0, 1.25))  # noqa: S311
            wait = min(2 * wait, self.longest_s)
        return waits


class HubRepository:
    """One dataset repository; ``retries`` counts the requests that were repeated."""

    def __init__(self, api: HfApi, name: str, retry_policy: RetryPolicy | None = None) -> None:
        self.name = name
        self.retries = 0
        self._api = api
        self._retry_policy = retry_policy or RetryPolicy()

    @classmethod
    def open(cls, settings: HubSettings, retry_policy: RetryPolicy | None = None) -> HubRepository:
        """Find the repository, or create it.

        Raises :class:`UsageError` if the name is invalid or there is no token, and
        :class:`SinkError` if the Hub refuses or cannot be reached.
        """
        silence_telemetry()
        from huggingface_hub import HfApi, get_token

        if not (settings.token or get_token()):
            raise UsageError(
                "publishing on the Hub needs a token with write access: log in with hf auth login, "
                "set HF_TOKEN, or give --token"
            )
        repository = cls(HfApi(token=settings.token), settings.repository, retry_policy)
        created = repository._retry(
            lambda: repository._api.create_repo(
                settings.repository,
                repo_type="dataset",
                private=settings.private or None,
                exist_ok=True,
            )
        )
        repository.name = str(created.repo_id)
        return repository

    @property
    def url(self) -> str:
        """The dataset's page."""
        return f"{self._api.endpoint}/datasets/{self.name}"

    def claim(self, run: str, *, fresh: bool, replace: bool) -> None:
        """Claim the repository for this run, or check that the run owns it already.

        ``fresh``: the run has published nothing yet; ``replace``: delete what another run
        published here. Raises :class:`SinkError` if another run owns the repository, or if it
        holds files that no run published.
        """
        record, paths = self._retry(self._contents)
        owner = record.get("run") if record else None
        if owner == run and not (fresh and replace):
            return
        if not fresh:
            raise SinkError(
                f"{self.name} no longer holds what this run published there: start over with "
                "--restart"
            )
        if paths and not (record and replace):
            content = "the transcripts of another run" if record else f"other files ({paths[0]})"
            hint = ", or replace them with --restart" if record else ""
            raise SinkError(
                f"the dataset {self.name} on the Hub already holds {content}: name another with "
                f"--push-to-hub{hint}"
            )
        claim = json.dumps({"quest22": 1, "run": run, "finished": False}).encode()
        self.commit({RECORD: claim}, "Begin", stale=lambda path: path != HUB_OWN_FILE)

    def commit(
        self,
        files: Mapping[str, Content],
        message: str,
        stale: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Upload files in one commit, and delete others that are ``stale``.

        Files that the repository already holds are not sent again, so a commit is recognised even
        if its response was lost or the process that made it died. Raises :class:`SinkError`.
        """
        self._retry(lambda: self._commit(files, message, stale))

    def source_card(self, name: str, revision: str | None) -> dict[str, Any]:
        """License and language from another dataset's card; empty if there is no card."""
        try:
            info = self._retry(lambda: self._api.dataset_info(name, revision=revision))
        except Quest22Error:
            return {}
        return {key: getattr(info.card_data, key, None) for key in ("license", "language")}

    def _contents(self) -> tuple[dict[str, Any] | None, list[str]]:
        files = self._listing()
        paths = [path for path in files if path != HUB_OWN_FILE]
        if RECORD not in files:
            return None, paths
        return self._record(), paths

    def _record(self) -> dict[str, Any] | None:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="quest22-") as folder:
            path = self._api.hf_hub_download(
                self.name, RECORD, repo_type="dataset", local_dir=folder
            )
            try:
                record = json.loads(Path(path).read_bytes())
            except ValueError:
                return None
        return record if isinstance(record, dict) and "quest22" in record else None

    def _listing(self) -> dict[str, RepoFile]:
        from huggingface_hub import RepoFile

        entries = self._api.list_repo_tree(self.name, repo_type="dataset", recursive=True)
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}

    def _commit(
        self, files: Mapping[str, Content], message: str, stale: Callable[[str], bool]
    ) -> None:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete
        from huggingface_hub.utils import (  # type: ignore[attr-defined]
            disable_progress_bars,
        )

        existing = self._listing()
        added = [
            CommitOperationAdd(path, content)
            for path, content in files.items()
            if not (path in existing and _is_same(existing[path], content))
        ]
        deleted = [path for path in existing if stale(path) and path not in files]
        operations: list[CommitOperationAdd | CommitOperationDelete] = [*added]
        operations += [CommitOperationDelete(path, is_folder=False) for path in deleted]
        if operations:
            disable_progress_bars()
            self._api.create_commit(
                self.name, operations, commit_message=message, repo_type="dataset", num_threads=2
            )

    def _retry(self, request: Callable[[], Response]) -> Response:
        logged = False
        for wait in self._retry_policy.waits():
            try:
                response = request()
            except Quest22Error:
                raise
            except Exception as exc:
                refused = hub_error(exc, self.name)
                if refused is not None:
                    raise refused from exc
                self.retries += 1
                logged = logged or self._log_retry(exc, wait)
            else:
                if logged:
                    _log.warning("%s on the Hub responds again", self.name)
                return response
            self._retry_policy.sleep(wait)
        try:
            return request()
        except Exception as exc:
            raise hub_error(exc, self.name) or SinkError(
                f"{self.name} on the Hub could not be reached or written to for "
                f"{self._retry_policy.total_s:.0f} s ({describe_error(exc)}): the same command "
                "continues once it can"
            ) from exc

    def _log_retry(self, exc: Exception, wait_s: float) -> bool:
        """Warn about a failure that lasts; True if a warning was logged."""
        if wait_s < LOG_FROM_S:
            return False
        longest_s = self._retry_policy.total_s
        reason = describe_error(exc)
        _log.warning("%s on the Hub: %s; trying again for %.0f s", self.name, reason, longest_s)
        return True


def _is_same(existing: RepoFile, content: Content) -> bool:
    """Whether a file in the repository has this content, by size and hash."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if existing.size != size:
        return False
    if existing.lfs is not None:
        return bool(existing.lfs.sha256 == _digest(hashlib.sha256(), content))
    git = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    return bool(existing.blob_id == _digest(git, content))


def _digest(digest: Any, content: Content) -> str:
    if isinstance(content, bytes):
        digest.update(content)
        return str(digest.hexdigest())
    with content.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return str(digest.hexdigest())
