"""The Hub's stand-in, asked directly: what unmodified clients rely on, and its faults."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.hub import Fault, Hub, files_of

LARGE = bytes(range(256)) * 512
FILES: dict[str, bytes | Path] = {"a.txt": b"alpha", "data/b.bin": LARGE, "data/c/d.txt": b"delta"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        yield running


def ask(
    hub: Hub, target: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own, redirects not followed."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(hub.endpoint).port)
    try:
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def listed(hub: Hub, target: str) -> list[str]:
    return [entry["path"] for entry in json.loads(ask(hub, target)[2])]


RANGES = [
    (None, 200, b"alpha", None),
    ("bytes=0-1", 206, b"al", "bytes 0-1/5"),
    ("bytes=3-", 206, b"ha", "bytes 3-4/5"),
    ("bytes=-2", 206, b"ha", "bytes 3-4/5"),
    ("bytes=3-100", 206, b"ha", "bytes 3-4/5"),
    ("bytes=5-", 416, b"", "bytes */5"),
    ("nonsense", 200, b"alpha", None),
]


@pytest.mark.parametrize(("asked", "status", "body", "span"), RANGES)
def test_ranges_of_a_file(
    hub: Hub, asked: str | None, status: int, body: bytes, span: str | None
) -> None:
    sha = hub.add_model("org/m", FILES).sha("main")
    found = ask(hub, "/org/m/resolve/main/a.txt", **({"Range": asked} if asked else {}))
    assert (found[0], found[2], found[1].get("Content-Range")) == (status, body, span)
    assert found[1]["X-Repo-Commit"] == sha


def test_a_large_file_lies_on_another_host_that_takes_no_token(hub: Hub) -> None:
    hub.add_dataset("org/d", FILES)
    status, headers, body = ask(hub, "/datasets/org/d/resolve/main/data/b.bin", method="HEAD")
    assert (status, headers["X-Linked-Size"], body) == (302, str(len(LARGE)), b"")
    address = urlsplit(headers["Location"])
    assert address.hostname == "localhost"
    assert ask(hub, _stored(headers), Range="bytes=256-259")[2] == b"\x00\x01\x02\x03"
    assert ask(hub, _stored(headers), Authorization="Bearer hf_x")[0] == 400


LISTINGS = [
    ("/api/models/org/m/tree/main", ["a.txt", "data"]),
    ("/api/models/org/m/tree/main?recursive=True", ["a.txt", "data", "data/b.bin", "data/c"]),
    ("/api/models/org/m/tree/main/data", ["data/b.bin", "data/c"]),
    ("/api/models/org/m/tree/main/data/c?recursive=true", ["data/c/d.txt"]),
]


@pytest.mark.parametrize(("target", "paths"), LISTINGS)
def test_listings(hub: Hub, target: str, paths: list[str]) -> None:
    hub.add_model("org/m", FILES)
    assert listed(hub, target)[:4] == paths


def test_long_listings_come_in_pages(hub: Hub) -> None:
    hub.add_model("org/m", {f"{number:03}.txt": b"" for number in range(25)})
    hub.catalogue.page = 10
    target, found = "/api/models/org/m/tree/main", list[str]()
    while target:
        _, headers, body = ask(hub, target)
        found += [entry["path"] for entry in json.loads(body)]
        link = headers.get("Link", "").partition(">")[0].removeprefix("<")
        target = link.removeprefix(hub.endpoint)
    assert found == [f"{number:03}.txt" for number in range(25)]


ERRORS: list[tuple[str, dict[str, str], int, str | None]] = [
    ("/api/models/org/none", {}, 401, "RepoNotFound"),
    ("/api/models/org/none", {"Authorization": "Bearer hf_b"}, 404, "RepoNotFound"),
    ("/api/models/org/m", {"Authorization": "Bearer hf_unknown"}, 401, None),
    ("/api/models/org/m/revision/v9", {}, 404, "RevisionNotFound"),
    ("/api/models/org/m/tree/main/none", {}, 404, "EntryNotFound"),
    ("/org/m/resolve/main/none.txt", {}, 404, "EntryNotFound"),
    ("/org/m/resolve/v9/a.txt", {}, 404, "RevisionNotFound"),
    ("/api/models/org/gated", {}, 200, None),
    ("/org/gated/resolve/main/a.txt", {}, 401, "GatedRepo"),
    ("/org/gated/resolve/main/a.txt", {"Authorization": "Bearer hf_b"}, 403, "GatedRepo"),
    ("/org/gated/resolve/main/a.txt", {"Authorization": "Bearer hf_a"}, 200, None),
    ("/api/models/org/private", {}, 401, "RepoNotFound"),
    ("/api/models/org/private", {"Authorization": "Bearer hf_a"}, 200, None),
    ("/api/whoami-v2", {}, 401, None),
    ("/api/whoami-v2", {"Authorization": "Bearer hf_a"}, 200, None),
    ("/somewhere", {}, 404, None),
]


@pytest.mark.parametrize(("target", "headers", "status", "code"), ERRORS)
def test_errors_are_told_as_the_hub_tells_them(
    hub: Hub, target: str, headers: dict[str, str], status: int, code: str | None
) -> None:
    access: dict[str, Any] = {"readers": {"hf_a"}}
    hub.add_model("org/m", FILES)
    hub.add_model("org/gated", FILES, gated=True, **access)
    hub.add_model("org/private", FILES, private=True, **access)
    hub.tokens.add("hf_b")
    found = ask(hub, target, **headers)
    assert (found[0], found[1].get("X-Error-Code")) == (status, code)


def test_revisions_are_branches_tags_and_commits(hub: Hub) -> None:
    repository = hub.add_dataset("org/d", {"a.txt": b"one"})
    first = repository.sha("main")
    repository.tag("v1")
    repository.commit({"a.txt": b"two"})
    repository.commit({"a.txt": b"pull"}, branch="refs/pr/1")
    for revision, content in (
        ("main", b"two"),
        ("v1", b"one"),
        (first, b"one"),
        ("refs%2Fpr%2F1", b"pull"),
    ):
        assert ask(hub, f"/datasets/org/d/resolve/{revision}/a.txt")[2] == content
    refs = json.loads(ask(hub, "/api/datasets/org/d/refs")[2])
    assert [ref["name"] for ref in refs["branches"]] == ["main"]
    assert refs["tags"] == [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": first}]


def _stored(headers: Any) -> str:
    """Where storage keeps what was redirected, as a request's target."""
    parts = urlsplit(headers["Location"])
    return f"{parts.path}?{parts.query}"


def test_faults_strike_as_planned(hub: Hub) -> None:
    hub.add_model("org/m", FILES)
    hub.faults += [
        Fault(r"a\.txt", times=2, status=503, headers={"Retry-After": "1"}),
        Fault(r"a\.txt", method="GET", cut_after=2),
    ]
    target = "/org/m/resolve/main/a.txt"
    assert [ask(hub, target)[0] for _ in range(2)] == [503, 503]
    assert ask(hub, target, method="HEAD")[0] == 200
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(hub, target)
    assert caught.value.partial == b"al"
    assert ask(hub, target)[2] == b"alpha"
    assert [seen.sent for seen in hub.requests][-2:] == [2, 5]


def test_a_closed_hub_is_gone(hub: Hub) -> None:
    hub.close()
    with pytest.raises(ConnectionRefusedError):
        ask(hub, "/api/models/org/m")


def test_closing_breaks_connections_that_are_kept_open(hub: Hub) -> None:
    hub.add_model("org/m", FILES)
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(hub.endpoint).port)

    def ask_again() -> bytes:
        connection.request("GET", "/org/m/resolve/main/a.txt")
        return connection.getresponse().read()

    assert ask_again() == b"alpha"
    hub.close()
    with pytest.raises(ConnectionError):
        ask_again()
    connection.close()


def test_files_of_a_folder_are_served_from_disk(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.bin").write_bytes(LARGE)
    hub.add_model("org/m", files_of(tmp_path))
    _, headers, _ = ask(hub, "/org/m/resolve/main/sub/x.bin")
    assert ask(hub, _stored(headers))[2] == LARGE


def test_storage_takes_fresh_signatures_alone(hub: Hub) -> None:
    hub.add_dataset("org/d", FILES)
    target = "/datasets/org/d/resolve/main/data/b.bin"
    _, before, _ = ask(hub, target)
    hub.expire_signatures()
    assert ask(hub, _stored(before))[0] == 403
    _, after, _ = ask(hub, target)
    assert ask(hub, _stored(after))[2] == LARGE


def test_a_hub_comes_back_as_it_was(hub: Hub) -> None:
    hub.add_model("org/m", FILES)
    hub.close()
    with Hub(hub.port, hub.catalogue) as back:
        assert ask(back, "/org/m/resolve/main/a.txt")[2] == b"alpha"


def test_bodies_that_trickle_stall_and_are_reset(hub: Hub) -> None:
    hub.add_model("org/m", FILES)
    target = "/org/m/resolve/main/a.txt"
    hub.faults += [Fault(r"a\.txt", trickle_s=0.01)]
    assert ask(hub, target)[2] == b"alpha"
    hub.faults += [Fault(r"a\.txt", cut_after=2, reset=True, stall_s=0.01)]
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        ask(hub, target)
    assert ask(hub, target)[2] == b"alpha"
