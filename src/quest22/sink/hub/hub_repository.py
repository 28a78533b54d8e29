"""The dataset repository on the Hub that a run writes to: find or create, claim, commit.

The only place where sinks use the network. Transient failures are retried; all others become
one-line errors. Knows nothing of transcripts.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from quest22.env import silence_telemetry
from quest22.errors import Quest22Error, SinkError, UsageError
from quest22.settings import HubSettings
from quest22.sink.hub.hub_errors import describe_error, hub_error
from quest22.system.retry import Backoff, retry, retry_after_s

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoFile

    CommitOperation: TypeAlias = CommitOperationAdd | CommitOperationDelete

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
class RetryPolicy:
    """How requests to the Hub are retried: no more once the delays add up to ``timeout_s``.

    What the Hub asks for in ``Retry-After`` is waited for, up to ``max_retry_after_s``.
    """

    timeout_s: float = 900.0
    backoff: Backoff = field(default=Backoff(first_s=1.0, max_s=60.0, jitter=(1.0, 1.25)))
    sleep: Callable[[float], None] | None = None
    max_retry_after_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository at one commit; ``record`` is what :data:`RECORD` holds, None if it has none."""

    commit: str
    files: Mapping[str, RepoFile]
    record: Mapping[str, Any] | None


class Commit(NamedTuple):
    """Files to upload in one commit."""

    files: Mapping[str, Content]
    message: str


class HubRepository:
    """One dataset repository; ``retries`` counts the retried requests."""

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

    @classmethod
    def reading(
        cls, settings: HubSettings, retry_policy: RetryPolicy | None = None
    ) -> HubRepository:
        """A repository to read from, which is there already; a public one needs no token."""
        silence_telemetry()
        from huggingface_hub import HfApi

        return cls(HfApi(token=settings.token), settings.repository, retry_policy)

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
                f"{self.name} no longer contains what this run published there: start over with "
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

    def snapshot(self) -> Snapshot:
        """The repository as it is now. Raises :class:`SinkError`."""
        return self._retry(self._snapshot)

    def update(self, prepare: Callable[[Snapshot], Commit | None]) -> None:
        """Commit what ``prepare`` makes of the repository as it is, unless that is None.

        Of several that update the same state one succeeds; the others prepare again, and so does
        who got no answer. Raises :class:`SinkError`, and what ``prepare`` raises.
        """

        def update() -> None:
            snapshot = self._snapshot()
            commit = prepare(snapshot)
            if commit is not None:
                operations = self._additions(commit.files, snapshot.files)
                self._send(operations, commit.message, snapshot.commit)

        self._retry(update)

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

    def _snapshot(self) -> Snapshot:
        refs = self._api.list_repo_refs(self.name, repo_type="dataset")
        head = next(ref.target_commit for ref in refs.branches if ref.name == "main")
        files = self._listing(head)
        return Snapshot(head, files, self._record(head) if RECORD in files else None)

    def _record(self, revision: str | None = None) -> dict[str, Any] | None:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="quest22-") as folder:
            path = self._api.hf_hub_download(
                self.name, RECORD, repo_type="dataset", revision=revision, local_dir=folder
            )
            try:
                record = json.loads(Path(path).read_bytes())
            except ValueError:
                return None
        return record if isinstance(record, dict) and "quest22" in record else None

    def _listing(self, revision: str | None = None) -> dict[str, RepoFile]:
        from huggingface_hub import RepoFile

        entries = self._api.list_repo_tree(
            self.name, repo_type="dataset", revision=revision, recursive=True
        )
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}

    def _commit(
        self, files: Mapping[str, Content], message: str, stale: Callable[[str], bool]
    ) -> None:
        from huggingface_hub import CommitOperationDelete

        existing = self._listing()
        operations = self._additions(files, existing)
        deleted = [path for path in existing if stale(path) and path not in files]
        operations += [CommitOperationDelete(path, is_folder=False) for path in deleted]
        if operations:
            self._send(operations, message)

    def _additions(
        self, files: Mapping[str, Content], existing: Mapping[str, RepoFile]
    ) -> list[CommitOperation]:
        """Uploads of the files that the repository does not hold as they are."""
        from huggingface_hub import CommitOperationAdd

        return [
            CommitOperationAdd(path, content)
            for path, content in files.items()
            if not (path in existing and _is_same(existing[path], content))
        ]

    def _send(
        self, operations: list[CommitOperation], message: str, parent: str | None = None
    ) -> None:
        from huggingface_hub.utils import (  # type: ignore[attr-defined]
            disable_progress_bars,
        )

        disable_progress_bars()
        self._api.create_commit(
            self.name,
            operations,
            commit_message=message,
            repo_type="dataset",
            num_threads=2,
            parent_commit=parent,
        )

    def _retry(self, request: Callable[[], Response]) -> Response:
        policy = self._retry_policy
        delays = policy.backoff.delays()
        waited_s, logged = 0.0, False

        def delay_after(exc: Exception) -> float:
            nonlocal logged, waited_s
            if isinstance(exc, Quest22Error):
                raise exc
            refusal = hub_error(exc, self.name)
            if refusal is not None:
                raise refusal from exc
            if waited_s >= policy.timeout_s:
                raise self._unreachable(exc) from exc
            delay_s = policy.backoff.next_s(exc, delays, policy.max_retry_after_s)
            waited_s += delay_s
            self.retries += 1
            logged = logged or self._log_retry(exc, delay_s)
            return delay_s

        response = retry(request, delay_after, policy.sleep)
        if logged:
            _log.warning("%s on the Hub is reachable again", self.name)
        return response

    def _unreachable(self, exc: Exception) -> SinkError:
        return SinkError(
            f"{self.name} on the Hub could not be reached or written to for "
            f"{self._retry_policy.timeout_s:.0f} s ({describe_error(exc)}): repeat the command to "
            "continue later"
        )

    def _log_retry(self, exc: Exception, delay_s: float) -> bool:
        """Log what is wrong if it has lasted; True if it was logged."""
        if delay_s < LOG_FROM_S:
            return False
        timeout_s, reason = self._retry_policy.timeout_s, describe_error(exc)
        asked_s = retry_after_s(exc)
        if asked_s is not None:
            reason += f", asks to wait {asked_s:.0f} s"
        _log.warning("%s on the Hub: %s; retrying for up to %.0f s", self.name, reason, timeout_s)
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
