"""What the Hub's stand-in answers to those who write: repositories made, files uploaded, commits.

Spoken: create, validate-yaml, preupload, the LFS batch with its basic transfer and check, and
commits as lines of JSON. Parquet and large files go through LFS, as the Hub's own rules say.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import yaml

from tests.support.hub_answers import Answer, Catalogue, Request, error, json_answer, missing
from tests.support.hub_repository import LARGE_BYTES, Repository, StoredFile

_BATCH = ".git/info/lfs/objects/batch"
_VERIFY = ".git/info/lfs/verify"
_ATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"


def answer_writing(catalogue: Catalogue, request: Request) -> Answer | None:
    """The answer to a request that writes; None for any other."""
    path = unquote(request.path).strip("/")
    if request.method == "PUT" and path.startswith("storage/"):
        return _uploaded(catalogue, path.removeprefix("storage/"), request)
    if request.method == "POST":
        return _posted(catalogue, path, request)
    return None


def _posted(catalogue: Catalogue, path: str, request: Request) -> Answer | None:
    if path == "api/validate-yaml":
        return _validated(json.loads(request.body))
    if request.token and request.token not in catalogue.tokens:
        return error(401, None, "Invalid credentials in Authorization header")
    if path == "api/repos/create":
        return _created(catalogue, json.loads(request.body), request)
    steps = {_BATCH: _batch, _VERIFY: _verified, "/preupload/main": _preupload}
    for ending, answer in (steps | {"/commit/main": _committed}).items():
        if path.endswith(ending):
            named = path.removesuffix(ending).removeprefix("api/")
            return _writable(catalogue, named, request, answer)
    return None


def _created(catalogue: Catalogue, asked: dict[str, Any], request: Request) -> Answer:
    if not request.token:
        return error(401, None, "Invalid username or password.")
    own = catalogue.namespaces(request.token)
    namespace = asked.get("organization") or own[0]
    kind, name = asked.get("type", "model"), f"{namespace}/{asked['name']}"
    if namespace not in own:
        message = f"You don't have the rights to create a {kind} under the namespace {namespace}"
        return error(403, None, message)
    url = f"http://{request.headers['host']}/{'datasets/' if kind == 'dataset' else ''}{name}"
    if (kind, name) in catalogue.repositories:
        body = {"error": "You already created this repo", "url": url}
        return replace(json_answer(body), status=409)
    private = asked.get("visibility") == "private"
    made = Repository(kind, name, private=private, readers={request.token} if private else set())
    made.commit({".gitattributes": _ATTRIBUTES})
    catalogue.repositories[kind, name] = made
    return json_answer({"url": url, "name": name, "private": private})


def _writable(catalogue: Catalogue, named: str, request: Request, answer: Any) -> Answer:
    kind, _, name = named.partition("/")
    found = catalogue.visible(kind.removesuffix("s"), name, request.token)
    if found is None:
        return missing(request.token)
    if name.split("/")[0] not in catalogue.writers.get(request.token or "", ()):
        return error(403, None, "Forbidden: you must use a write token to upload to a repository.")
    done: Answer = answer(catalogue, found, request)
    return done


def _validated(asked: dict[str, Any]) -> Answer:
    try:
        yaml.safe_load(asked["content"].split("---")[1])
    except (yaml.YAMLError, IndexError) as exc:
        body = json.dumps({"errors": [{"message": str(exc)}], "warnings": []}).encode()
        return Answer(400, body, {"Content-Type": "application/json"})
    return json_answer({"errors": [], "warnings": []})


def _preupload(_: Catalogue, repository: Repository, request: Request) -> Answer:
    files = repository.commits[repository.branches["main"]]

    def described(asked: dict[str, Any]) -> dict[str, Any]:
        path = asked["path"]
        large = path.endswith(".parquet") or asked["size"] >= LARGE_BYTES
        known = {"oid": files[path].etag} if path in files else {}
        mode = {"uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
        return {"path": path, **mode, **known}

    return json_answer({"files": [described(asked) for asked in json.loads(request.body)["files"]]})


def _batch(catalogue: Catalogue, repository: Repository, request: Request) -> Answer:
    verify = f"http://{request.headers['host']}/datasets/{repository.name}{_VERIFY}"

    def action(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["oid"] in catalogue.uploads:
            return asked
        upload = {"href": f"{catalogue.storage}/storage/{asked['oid']}?Signature=1"}
        return {**asked, "actions": {"upload": upload, "verify": {"href": verify}}}

    objects = [action(asked) for asked in json.loads(request.body)["objects"]]
    return json_answer({"transfer": "basic", "objects": objects})


def _uploaded(catalogue: Catalogue, sha256: str, request: Request) -> Answer:
    if "authorization" in request.headers:
        return error(400, None, "Only one auth mechanism allowed")
    if hashlib.sha256(request.body).hexdigest() != sha256:
        return error(400, None, "BadDigest")
    catalogue.uploads[sha256] = request.body
    return Answer(headers={"ETag": f'"{sha256}"'})


def _verified(catalogue: Catalogue, _: Repository, request: Request) -> Answer:
    asked = json.loads(request.body)
    held = catalogue.uploads.get(asked["oid"])
    return Answer() if held is not None and len(held) == asked["size"] else error(404)


def _committed(catalogue: Catalogue, repository: Repository, request: Request) -> Answer:
    head = repository.branches["main"]
    files = dict(repository.commits[head])
    summary = ""
    for line in request.body.splitlines():
        item = json.loads(line)
        key, value = item["key"], item["value"]
        if key == "header":
            summary = value["summary"]
            if value.get("parentCommit", head) != head:
                return error(
                    412, None, "A commit has happened since. Please refresh and try again."
                )
        elif key == "deletedFile" and value["path"] not in files:
            return error(404, "EntryNotFound", "A file with this name doesn't exist")
        elif key == "lfsFile" and value["oid"] not in catalogue.uploads:
            return error(400, None, "LFS object was not uploaded")
        else:
            _apply(catalogue, files, key, value)
    sha = repository.store(files.values())
    repository.written.append(summary)
    url = f"http://{request.headers['host']}/datasets/{repository.name}/commit/{sha}"
    return json_answer({"commitUrl": url, "commitOid": sha, "success": True})


def _apply(
    catalogue: Catalogue, files: dict[str, StoredFile], key: str, value: dict[str, Any]
) -> None:
    path = value["path"]
    if key == "file":
        files[path] = StoredFile.of(path, base64.b64decode(value["content"]))
    elif key == "lfsFile":
        files[path] = replace(StoredFile.of(path, catalogue.uploads[value["oid"]]), lfs=True)
    elif key == "deletedFile":
        del files[path]
    else:
        raise NotImplementedError(key)
