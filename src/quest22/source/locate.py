"""Resolves a dataset's name: a Hub id, a builder with data files, a file, a pattern, a folder.

Revisions on the Hub become commits. Reads no data.
"""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from quest22.env import hub_token
from quest22.errors import SourceError, UsageError
from quest22.settings import DatasetSettings
from quest22.source.braces import expanded
from quest22.source.io.address import is_url, problem_of_url, redact
from quest22.source.io.error_kinds import source_error
from quest22.source.listing import is_media
from quest22.source.local_files import exists, is_folder

BUILDERS = ("parquet", "webdataset", "audiofolder", "json", "csv")
HUB_TIMEOUT_S = 30.0

_BUILDER_OF_SUFFIX = {
    ".parquet": "parquet",
    ".tar": "webdataset",
    ".tgz": "webdataset",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
}
_FILES_OF_FOLDERS = frozenset({"wav.scp", "segments"})
"""Files of Kaldi's data directories, which stand for the directory."""
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


_HUB_FILE = re.compile(r"hf://datasets/([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """Arguments for ``datasets``; ``builder`` is None if ``datasets`` is to infer it.

    ``is_folder``: the whole of a local folder, which may be a corpus that is read here.
    """

    path: str
    builder: str | None = None
    config: str | None = None
    revision: str | None = None
    data_files: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    options: dict[str, Any] = field(default_factory=dict)
    is_folder: bool = False


def locate(settings: DatasetSettings) -> DatasetRequest:
    """Resolve ``settings.path``; the revision of a Hub dataset becomes a commit.

    Raises UsageError and SourceError.
    """
    folder = settings.working_folder
    if folder is not None:
        files = tuple(placed(file, folder) for file in settings.data_files)
        settings = replace(settings, path=placed(settings.path, folder), data_files=files)
    path = settings.path.strip()
    if not path:
        raise UsageError("no dataset given: expected a Hub id, a builder, a file or a folder")
    token = settings.token or hub_token()
    if path in BUILDERS:
        return _from_data_files(path, settings.data_files, token)
    if is_folder(os.path.expanduser(path)):  # noqa: PTH111 -- knows no unknown user as an error
        whole = str(Path(os.path.expanduser(path)).resolve())  # noqa: PTH111
        named = settings.config or settings.data_files
        request = DatasetRequest(whole, None, settings.config, None, settings.data_files, token)
        return replace(request, is_folder=not named)
    if PurePosixPath(path).name in _FILES_OF_FOLDERS and exists(path):
        return DatasetRequest(str(Path(path).resolve().parent), token=token, is_folder=True)
    builder = builder_of(_names_of(path)[0])
    if builder is not None:
        return _from_data_files(builder, (path, *settings.data_files), token)
    return _on_hub(path, settings, token)


def placed(name: str, folder: Path) -> str:
    """A local path, relative to ``folder``, as an absolute one; any other name as it is."""
    if is_url(name) or name in BUILDERS:
        return name
    path = os.path.normpath(folder / os.path.expanduser(name))  # noqa: PTH111 -- as in locate
    is_local = os.path.exists(path) or builder_of(name) is not None or name[:1] in tuple("./~")  # noqa: PTH110 -- odd names are no error
    return path if is_local else name


def builder_of(address: str) -> str | None:
    """The builder that reads data files with this suffix; None for other suffixes."""
    name = PurePosixPath(address.partition("?")[0] if is_url(address) else address)
    if name.suffix.lower() in _COMPRESSED:
        name = name.with_suffix("")
    return _BUILDER_OF_SUFFIX.get(name.suffix.lower())


def _from_data_files(
    builder: str, data_files: tuple[str, ...], token: str | None
) -> DatasetRequest:
    if not data_files:
        raise UsageError(
            f"the dataset {builder!r} is a kind of data file: name the files with --data-files"
        )
    named = [name for file in data_files for name in _names_of(file)]
    problem = next(filter(None, map(problem_of_url, named)), None)
    if problem is not None:
        raise SourceError(problem)
    files, commit = _pin_revisions([_as_pattern(file) for file in named], token)
    tabs = builder == "csv" and all(".tsv" in file.lower() for file in files)
    options: dict[str, Any] = {"sep": "\t"} if tabs else {}
    if builder == "csv":
        options["keep_default_na"] = False  # "None" and "NA" are words like any other
    return DatasetRequest(builder, builder, None, commit, files, token, options)


def _names_of(file: str) -> list[str]:
    """A file with its braces expanded, unless it has them in its name."""
    return [file] if not is_url(file) and exists(os.path.expanduser(file)) else expanded(file)  # noqa: PTH111 -- as above


def _as_pattern(file: str) -> str:
    """A data file unchanged; a local folder as the pattern of everything in it."""
    if is_url(file):
        return file
    path = os.path.expanduser(file)  # noqa: PTH111 -- as above
    name = glob.escape(path) if exists(path) else path
    return f"{name}/**" if is_folder(path) else name


def _pin_revisions(files: list[str], token: str | None) -> tuple[tuple[str, ...], str | None]:
    """The files, those on the Hub pinned to commits, and the first such commit."""
    commits: dict[tuple[str, str | None], str] = {}
    pinned: list[str] = []
    for file in files:
        match = _HUB_FILE.fullmatch(file)
        if match is None:
            pinned.append(file)
            continue
        name, revision, path_in_repo = match.groups()
        requested = (name, unquote(revision) if revision else None)
        if requested not in commits:
            commits[requested] = _resolve_commit(*requested, token)
        pinned.append(f"hf://datasets/{name}@{commits[requested]}/{path_in_repo}")
    return tuple(pinned), next(iter(commits.values()), None)


def _on_hub(path: str, settings: DatasetSettings, token: str | None) -> DatasetRequest:
    from huggingface_hub import constants

    name = path.removeprefix("hf://datasets/").removeprefix(f"{constants.ENDPOINT}/datasets/")
    name, _, revision = name.partition("@")
    if is_media(path.partition("?")[0]):
        raise SourceError(f"{redact(path)} is a recording, not a dataset: use quest22 transcribe")
    if not _HUB_ID.fullmatch(name):
        kind = "dataset address" if is_url(path) else "file or folder"
        raise SourceError(
            f"no such {kind}: {redact(path)}: expected a Hub id (org/name), a folder, or a file, "
            f"pattern or URL ending in {' '.join(_BUILDER_OF_SUFFIX)}"
        )
    commit = _resolve_commit(name, settings.revision or revision or None, token)
    return DatasetRequest(name, None, settings.config, commit, settings.data_files, token)


def _resolve_commit(name: str, revision: str | None, token: str | None) -> str:
    from huggingface_hub import HfApi

    try:
        info = HfApi(token=token).dataset_info(name, revision=revision, timeout=HUB_TIMEOUT_S)
    except Exception as exc:
        where = "" if revision is None else f" at revision {revision!r}"
        raise source_error(exc, f"dataset {name!r}{where}") from exc
    if info.sha is None:
        raise SourceError(f"dataset {name!r}: the Hub names no commit for revision {revision!r}")
    return info.sha
