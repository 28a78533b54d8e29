"""What the Hub answers: a request in, an answer out. Knows the protocol, not the sockets.

Spoken: information, listings (paged), paths-info, refs and commits of models and datasets;
``resolve`` with the commit, size and ETag in headers and a redirect to storage for large files;
errors with the Hub's ``X-Error-Code``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.support.hub_repository import Repository, StoredFile

PAGE = 1000
_DATE = "2026-01-02T03:04:05.000Z"
_PARTS = ("revision", "tree", "paths-info", "refs", "commits")
_KINDS = {"models": "model", "datasets": "dataset"}


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def token(self) -> str | None:
        return self.headers.get("authorization", "").removeprefix("Bearer ") or None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said back: a file, which may be asked for in ranges, or else ``body``."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    file: StoredFile | None = None


@dataclass(slots=True)
class Catalogue:
    """All repositories, and the protocol over them. ``storage`` is where large files lie.

    Addresses there carry a ``signature``; older ones have expired. ``writers`` are tokens with the
    namespaces that they may write to, the user's own first; ``uploads`` large files by their hash,
    which a commit may name.
    """

    storage: str = ""
    page: int = PAGE
    signature: int = 0
    tokens: set[str] = field(default_factory=set)
    writers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer:
        """The Hub's answer to a request."""
        segments = [unquote(part) for part in request.path.strip("/").split("/")]
        if segments[0] == "storage":
            return self._stored(segments[1], request)
        if request.token and request.token not in self.tokens:
            return error(401, None, "Invalid credentials in Authorization header")
        if segments[:2] == ["api", "whoami-v2"]:
            name = self.namespaces(request.token)[0]
            return json_answer({"name": name, "type": "user"}) if request.token else error(401)
        if segments[0] == "api":
            return self._api(segments[1:], request)
        return self._resolve(segments, request)

    def namespaces(self, token: str | None) -> list[str]:
        """What a token may write to, the user's own name first."""
        return list(self.writers.get(token or "", ())) or ["reader"]

    def _api(self, segments: list[str], request: Request) -> Answer:
        kind = _KINDS.get(segments[0], "")
        at = next((i for i, part in enumerate(segments) if part in _PARTS and i > 1), len(segments))
        repository = self.visible(kind, "/".join(segments[1:at]), request.token)
        if repository is None:
            return missing(request.token)
        part, rest = (segments[at], segments[at + 1 :]) if at < len(segments) else ("revision", [])
        revision = rest[0] if rest else "main"
        sha = repository.sha(revision)
        if sha is None:
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if part == "tree":
            return self._tree(repository.commits[sha], "/".join(rest[1:]), request)
        return _described(part, repository, sha, request)

    def _resolve(self, segments: list[str], request: Request) -> Answer:
        kind = "dataset" if segments[0] == "datasets" else "model"
        named = segments[1:] if kind == "dataset" else segments
        if "resolve" not in named:
            return error(404, None, "Not found")
        at = named.index("resolve")
        repository = self.visible(kind, "/".join(named[:at]), request.token)
        if repository is None:
            return missing(request.token)
        if not repository.may_read(request.token):
            status = 403 if request.token else 401
            return error(status, "GatedRepo", f"Access to {kind} {repository.name} is restricted")
        revision, path = named[at + 1], "/".join(named[at + 2 :])
        sha = repository.sha(revision)
        if sha is None:
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        file = repository.commits[sha].get(path)
        if file is None:
            return error(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": sha})
        return self._file(file, sha)

    def _file(self, file: StoredFile, sha: str) -> Answer:
        common = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes", "ETag": f'"{file.etag}"'}
        if not file.large:
            return Answer(headers=common, file=file)
        linked = {
            "X-Linked-Size": str(file.size),
            "X-Linked-ETag": f'"{file.etag}"',
            "Location": f"{self.storage}/storage/{file.sha256}?Signature={self.signature}",
        }
        return Answer(302, headers=common | linked)

    def _stored(self, sha256: str, request: Request) -> Answer:
        if "authorization" in request.headers:
            return error(400, None, "Only one auth mechanism allowed")
        if request.query.get("Signature") != [str(self.signature)]:
            return error(403, None, "Request has expired")
        for repository in self.repositories.values():
            for files in repository.commits.values():
                for file in files.values():
                    if file.sha256 == sha256:
                        return Answer(headers={"ETag": f'"{sha256}"'}, file=file)
        return error(404, None, "NoSuchKey")

    def visible(self, kind: str, name: str, token: str | None) -> Repository | None:
        found = self.repositories.get((kind, name))
        return found if found and (found.may_read(token) or not found.private) else None

    def _tree(self, files: Mapping[str, StoredFile], folder: str, request: Request) -> Answer:
        recursive = request.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        entries = _listing(files, folder, recursive=recursive)
        if not entries and folder:
            return error(404, "EntryNotFound", f"{folder} does not exist")
        start = int(request.query.get("cursor", ["0"])[0])
        end = start + self.page
        headers = {}
        if end < len(entries):
            host = request.headers["host"]
            query = f"recursive={str(recursive).lower()}&cursor={end}"
            headers["Link"] = f'<http://{host}{request.path}?{query}>; rel="next"'
        return json_answer(entries[start:end], headers)


def _described(part: str, repository: Repository, sha: str, request: Request) -> Answer:
    if part == "refs":
        return _refs(repository)
    if part == "commits":
        commit = {"id": sha, "title": "Files", "message": "", "authors": [], "date": _DATE}
        return json_answer([commit])
    if part == "paths-info":
        return _paths_info(repository.commits[sha], request)
    return _information(repository, sha, with_sizes="blobs" in request.query)


def _information(repository: Repository, sha: str, *, with_sizes: bool) -> Answer:
    files = repository.commits[sha].values()
    siblings = [
        {"rfilename": file.path} | ({"size": file.size, "blobId": file.oid} if with_sizes else {})
        for file in files
    ]
    known = {
        "_id": sha[:24],
        "id": repository.name,
        "author": repository.name.split("/")[0],
        "sha": sha,
        "private": repository.private,
        "gated": "manual" if repository.gated else False,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "lastModified": _DATE,
        "createdAt": _DATE,
        "siblings": siblings,
    }
    known["cardData"] = _card_data(repository.commits[sha].get("README.md"))
    return json_answer(known | ({"modelId": repository.name} if repository.kind == "model" else {}))


def _card_data(readme: StoredFile | None) -> dict[str, Any]:
    text = readme.read(0, readme.size).decode() if readme else ""
    found = yaml.safe_load(text.split("---")[1]) if text.startswith("---") else {}
    return dict(found or {})


def _refs(repository: Repository) -> Answer:
    def refs(named: Mapping[str, str], where: str) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": f"refs/{where}/{name}", "targetCommit": sha}
            for name, sha in named.items()
        ]

    branches = {name: sha for name, sha in repository.branches.items() if "/" not in name}
    tags = refs(repository.tags, "tags")
    return json_answer({"branches": refs(branches, "heads"), "converts": [], "tags": tags})


def _paths_info(files: Mapping[str, StoredFile], request: Request) -> Answer:
    if request.headers.get("content-type", "").startswith("application/json"):
        asked = json.loads(request.body)["paths"]
    else:
        asked = parse_qs(request.body.decode()).get("paths", [])
    everything = {entry["path"]: entry for entry in _listing(files, "", recursive=True)}
    return json_answer([everything[path] for path in asked if path in everything])


def _listing(
    files: Mapping[str, StoredFile], folder: str, *, recursive: bool
) -> list[dict[str, Any]]:
    """Entries of a folder in the order of their paths, folders among them."""
    prefix = f"{folder}/" if folder else ""
    entries: dict[str, dict[str, Any]] = {}
    for file in files.values():
        if not file.path.startswith(prefix):
            continue
        parts = file.path.removeprefix(prefix).split("/")
        for depth in range(1, len(parts)):
            if recursive or depth == 1:
                path = prefix + "/".join(parts[:depth])
                entries[path] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}
        if recursive or len(parts) == 1:
            entries[file.path] = _entry(file)
    return [entries[path] for path in sorted(entries)]


def _entry(file: StoredFile) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "oid": file.oid, "size": file.size, "path": file.path}
    if file.large:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 134}
    return entry


def missing(token: str | None) -> Answer:
    """The Hub does not tell strangers whether a repository is private or not there."""
    return error(404 if token else 401, "RepoNotFound", "Repository not found")


def json_answer(value: object, headers: Mapping[str, str] | None = None) -> Answer:
    typed = {"Content-Type": "application/json; charset=utf-8"} | dict(headers or {})
    return Answer(body=json.dumps(value).encode(), headers=typed)


def error(
    status: int,
    code: str | None = None,
    message: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    said = {"X-Error-Code": code} if code else {}
    said |= {"X-Error-Message": message} if message else {}
    body = json.dumps({"error": message}).encode()
    return Answer(status, body, {"Content-Type": "application/json"} | said | dict(headers or {}))
