"""A dataset repository on the Hub that a run writes to: found or made, claimed, committed to.

Only here do sinks speak to the network. Whatever fails for a while is tried again; the rest leaves
as one line. Knows nothing of transcripts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from quest22.env import silence_telemetry
from quest22.errors import Quest22Error, SinkError, UsageError
from quest22.settings import HubSettings
from quest22.sink.hub_errors import described, hub_error

if TYPE_CHECKING:
    from huggingface_hub import HfApi, RepoFile

RECORD = "quest22.json"
"""Says which run a repository belongs to, and how far it has come."""

KEPT = ".gitattributes"
TOLD_FROM_S = 4.0
"""A trouble is told once a pause is so long: a user waits for it, or wonders why nothing comes."""

Content = Path | bytes
Answer = TypeVar("Answer")

_log = logging.getLogger("quest22")


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
    """One dataset repository; ``retries`` counts what had to be tried again."""

    def __init__(self, api: HfApi, name: str, perseverance: RetryPolicy | None = None) -> None:
        self.name = name
        self.retries = 0
        self._api = api
        self._perseverance = perseverance or RetryPolicy()

    @classmethod
    def reach(cls, settings: HubSettings, perseverance: RetryPolicy | None = None) -> HubRepository:
        """Find the repository, or make it.

        Raises :class:`UsageError` where the name is none or nobody is logged in, and
        :class:`SinkError` where the Hub refuses or cannot be reached.
        """
        silence_telemetry()
        from huggingface_hub import HfApi, get_token

        if not (settings.token or get_token()):
            raise UsageError(
                "publishing on the Hub needs a token that may write: log in with hf auth login, "
                "set HF_TOKEN, or give --token"
            )
        found = cls(HfApi(token=settings.token), settings.repository, perseverance)
        made = found._patiently(
            lambda: found._api.create_repo(
                settings.repository,
                repo_type="dataset",
                private=settings.private or None,
                exist_ok=True,
            )
        )
        found.name = str(made.repo_id)
        return found

    @property
    def url(self) -> str:
        """The dataset's page."""
        return f"{self._api.endpoint}/datasets/{self.name}"

    def claim(self, run: str, *, fresh: bool, replace: bool) -> None:
        """Make the repository this run's own, or see that it is.

        ``fresh``: the run has published nothing yet; ``replace``: what another run published here
        goes. Raises :class:`SinkError` where it belongs to another run, or to nobody of ours.
        """
        record, paths = self._patiently(self._held)
        owner = record.get("run") if record else None
        if owner == run and not (fresh and replace):
            return
        if not fresh:
            raise SinkError(
                f"{self.name} no longer holds what this run published there: begin anew with "
                "--restart"
            )
        if paths and not (record and replace):
            held = "the transcripts of another run" if record else f"other files ({paths[0]})"
            hint = ", or replace them with --restart" if record else ""
            raise SinkError(
                f"the dataset {self.name} on the Hub already holds {held}: name another with "
                f"--push-to-hub{hint}"
            )
        began = json.dumps({"quest22": 1, "run": run, "finished": False}).encode()
        self.commit({RECORD: began}, "Begin", stale=lambda path: path != KEPT)

    def commit(
        self,
        files: Mapping[str, Content],
        message: str,
        stale: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Put files there in one commit; others that are ``stale`` go.

        Files that the repository holds already are not sent again: so a commit whose answer was
        lost, or that a dead process made, is recognised. Raises :class:`SinkError`.
        """
        self._patiently(lambda: self._commit(files, message, stale))

    def source_card(self, name: str, revision: str | None) -> dict[str, Any]:
        """License and language as another dataset's card names them; empty without a card."""
        try:
            found = self._patiently(lambda: self._api.dataset_info(name, revision=revision))
        except Quest22Error:
            return {}
        named = found.card_data
        return {name: getattr(named, name, None) for name in ("license", "language")}

    def _held(self) -> tuple[dict[str, Any] | None, list[str]]:
        files = self._listing()
        paths = [path for path in files if path != KEPT]
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

        there = self._listing()
        added = [
            CommitOperationAdd(path, content)
            for path, content in files.items()
            if not (path in there and _same(there[path], content))
        ]
        gone = [path for path in there if stale(path) and path not in files]
        operations: list[CommitOperationAdd | CommitOperationDelete] = [*added]
        operations += [CommitOperationDelete(path, is_folder=False) for path in gone]
        if operations:
            disable_progress_bars()
            self._api.create_commit(
                self.name, operations, commit_message=message, repo_type="dataset", num_threads=2
            )

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        told = False
        for wait in self._perseverance.waits():
            try:
                answer = ask()
            except Quest22Error:
                raise
            except Exception as exc:
                refused = hub_error(exc, self.name)
                if refused is not None:
                    raise refused from exc
                self.retries += 1
                told = told or self._tell(exc, wait)
            else:
                if told:
                    _log.warning("%s on the Hub answers again", self.name)
                return answer
            self._perseverance.sleep(wait)
        try:
            return ask()
        except Exception as exc:
            raise hub_error(exc, self.name) or SinkError(
                f"{self.name} on the Hub could not be reached or written to for "
                f"{self._perseverance.total_s:.0f} s ({described(exc)}): the same command "
                "continues once it can"
            ) from exc

    def _tell(self, exc: Exception, wait_s: float) -> bool:
        """Say what is wrong, if it has lasted; True if it was said."""
        if wait_s < TOLD_FROM_S:
            return False
        longest_s = self._perseverance.total_s
        reason = described(exc)
        _log.warning("%s on the Hub: %s; trying again for %.0f s", self.name, reason, longest_s)
        return True


def _same(there: RepoFile, content: Content) -> bool:
    """Whether a file in the repository is this one, by size and hash."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if there.size != size:
        return False
    if there.lfs is not None:
        return bool(there.lfs.sha256 == _digest(hashlib.sha256(), content))
    git = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    return bool(there.blob_id == _digest(git, content))


def _digest(digest: Any, content: Content) -> str:
    if isinstance(content, bytes):
        digest.update(content)
        return str(digest.hexdigest())
    with content.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return str(digest.hexdigest())
