from __future__ import annotations

import pytest

from quest22.errors import ClipError
from quest22.source.io import address as address_module
from quest22.source.io.address import (
    common_folder,
    distinct_names,
    folder_of,
    is_chain,
    is_remote,
    is_url,
    problem_of_url,
    redact,
    redact_text,
    resolve,
)


@pytest.mark.parametrize(
    ("address", "url", "remote"),
    [
        ("/a/b.wav", False, False),
        ("a:b.wav", False, False),
        ("file:///a/b.wav", True, False),
        ("https://h/b.wav", True, True),
        ("s3://bucket/b.wav", True, True),
        ("zip://b.wav::/a/c.zip", True, False),
        ("http://[::1]/b.wav", True, True),
        ("http://u:p@[2001:db8::1]:80/b.wav", True, True),
        ("zip://b.wav::https://h/c.zip", True, True),
    ],
)
def test_kinds_of_addresses(address: str, url: bool, remote: bool) -> None:
    assert (is_url(address), is_remote(address)) == (url, remote)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("a?token=b", "a?token=b"),
        ("https://h/a.wav", "https://h/a.wav"),
        ("https://h/a?id=7", "https://h/a?…"),
        ("https://h/a?…", "https://h/a?…"),
        ("https://h/a?…2", "https://h/a?…2"),
        ("https://h/a?…9f86d081884c7d65", "https://h/a?…"),
        ("https://u:pw@h:80/a", "https://h:80/a"),
        ("HTTPS://u@h/a#access_token=1", "HTTPS://h/a?…"),
        ("https:/u:pw@h/a?jwt=1", "https:/h/a?…"),
        ("https://h/a;jsessionid=1/b?x", "https://h/a;…/b?…"),
        ("https://[h/a?b=1", "https://[h/a?…"),
        ("https://h/a?token=x::y&b=zip://z", "https://h/a?…"),
        ("https://h/a?\ntoken=b", "https://h/a?…"),
        ("zip://x::https://u:p@h/a?token=t", "zip://x::https://h/a?…"),
        ("simplecache::https://h/a?t=1", "simplecache::https://h/a?…"),
        ("s3://KEY:SECRET@bucket/a.wav", "s3://bucket/a.wav"),
        ("//u:pw@h/a.wav", "//h/a.wav"),
        ("https:u:pw@h/a.wav", "https:h/a.wav"),
        ("http:\\\\u:pw@h\\a.wav", "http:\\\\h\\a.wav"),
        (" https://u:pw@h/a?token=1", " https://h/a?…"),
        ("see 'https://u:pw@h/a?token=1'", "see 'https://h/a?…'"),
        ("/data/12:30@home.wav", "/data/12:30@home.wav"),
        ("s3://bucket/what?.wav", "s3://bucket/what?.wav"),
        ("s3://bucket/a.wav?X-Amz-Signature=1", "s3://bucket/a.wav?…"),
        ("abfs://box@account.dfs.core.windows.net/a", "abfs://box@account.dfs.core.windows.net/a"),
        ("file:///a/why?.wav", "file:///a/why?.wav"),
        ("hf://datasets/o/n@main/a.parquet", "hf://datasets/o/n@main/a.parquet"),
        ("hf://hf_abcdefghij@datasets/o/n", "hf://datasets/o/n"),
    ],
)  # fmt: skip
def test_secrets_are_not_shown(address: str, shown: str) -> None:
    assert redact(address) == shown
    assert redact(redact(address)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("404, url=('https://u:pw@h/a?b=abc'), see https://h/b.",
         "404, url=('https://h/a?…'), see https://h/b."),
        ("retries, url: /a/b?jwt=abc&c=1 (Caused", "retries, url: /a/b?… (Caused"),
        ("https://h/a?b=1)secret2, and", "https://h/a?… and"),
        (f"invalid token hf_{'a1' * 17}", "invalid token hf_…"),
        ("in hf_datasets_server", "in hf_datasets_server"),
        ("what? a=b", "what? a=b"),
    ],
)  # fmt: skip
def test_secrets_are_not_shown_in_messages(text: str, shown: str) -> None:
    assert redact_text(text) == shown


def test_names_of_addresses_that_differ_in_their_queries() -> None:
    names = distinct_names(
        ["https://h/a?id=7", "https://h/b", "https://h/a?id=8", "c?", "https://h/b"]
    )
    assert names == ["https://h/a?…", "https://h/b", "https://h/a?…2", "c?", "https://h/b"]
    assert [redact(name) for name in names] == names


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ("/a/b.json", "/a"),
        ("b.json", "."),
        ("https://h/a/b.json?x=1/2", "https://h/a"),
        ("s3://bucket/b.json", "s3://bucket"),
    ],
)
def test_folders(address: str, folder: str) -> None:
    assert folder_of(address) == folder


@pytest.mark.parametrize(
    ("addresses", "folder"),
    [
        ([], None),
        (["/a/b/c.wav"], "/a/b"),
        (["/a/b/c.wav", "/a/bc/c.wav", "/a/b/d/e.wav"], "/a"),
        (["https://h/a/1/x", "https://h/a/2/x"], "https://h/a"),
    ],
)
def test_common_folders(addresses: list[str], folder: str | None) -> None:
    assert common_folder(addresses) == folder


@pytest.mark.parametrize(
    ("reference", "folder", "address"),
    [
        ("a.wav", None, "a.wav"),
        ("a.wav", "/d", "/d/a.wav"),
        ("../a.wav", "/d/e", "/d/e/../a.wav"),
        ("/x/a.wav", "/d", "/x/a.wav"),
        ("file:///x/a.wav", "/d", "/x/a.wav"),
        ("https://h/a.wav", "/d", "https://h/a.wav"),
        ("a.wav", "https://h/d", "https://h/d/a.wav"),
        ("./e/../a.wav", "https://h/d", "https://h/d/a.wav"),
        ("s3://b/a.wav", "https://h/d", "s3://b/a.wav"),
        ("zip://a.wav::hf://datasets/o/n/x.zip", "hf://d", "zip://a.wav::hf://datasets/o/n/x.zip"),
    ],
)
def test_references_are_resolved(reference: str, folder: str | None, address: str) -> None:
    assert resolve(reference, folder) == address


@pytest.mark.parametrize(
    "reference",
    [
        "/etc/passwd", "../a.wav", "a/../../b.wav", "..\\a.wav", "file:///etc/passwd",
        "local:///etc/passwd", "FILE:///etc/passwd", "zip://a.wav::/etc/a.zip",
        "zip://a.wav::file:///etc/a.zip", "simplecache::file:///etc/passwd", "memory://a",
        "filecache::https://h/a.wav", "reference://x::https://h/a", "ssh://host/a",
    ],
)  # fmt: skip
def test_a_remote_dataset_reaches_nothing_local(reference: str) -> None:
    with pytest.raises(ClipError):
        resolve(reference, "https://h/d")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://[::1]:80/a.tar", None),
        ("zip://a.wav::https://h/a.zip", None),
        ("s3://bucket/a", None),
        ("http://h:99999/a.tar", "Port out of range"),
        ("http://[::1/a.tar", "Invalid IPv6"),
        ("http:///a.tar?sig=1", "names no server"),
    ],
)
def test_what_is_no_web_address(address: str, words: str | None) -> None:
    problem = problem_of_url(address)
    assert (problem is None) == (words is None)
    if problem is not None and words is not None:
        assert words in problem
        assert "sig" not in problem


def test_chains() -> None:
    assert is_chain("zip://a::/b.zip")
    assert is_chain("zip://a::http://[::1]/b.zip")
    assert not is_chain("http://[::1]/b.zip")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:9", "localhost", "LOCALHOST.", "[::1]:80", "169.254.169.254", "u:p@0.0.0.0",
     "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"],
)  # fmt: skip
def test_a_remote_dataset_asks_no_service_of_this_machine(host: str) -> None:
    for reference in (f"http://{host}/latest/a.wav", f"zip://a.wav::http://{host}/a.zip"):
        for folder in ("https://example.org/data", "s3://bucket/data"):
            with pytest.raises(ClipError, match="on this machine"):
                resolve(reference, folder)
        assert resolve(reference, "http://127.0.0.1:80/data") == reference
    assert resolve("https://cdn.example.org/a.wav", "https://example.org/data")


@pytest.mark.parametrize("path", ["C:\\a\\b.wav", "C:/a.wav", "D:a.wav", "\\\\host\\share\\a.wav"])
def test_a_path_of_windows_is_no_url(path: str) -> None:
    assert not is_url(path)
    assert not is_remote(path)
    assert redact(path) == path


@pytest.mark.parametrize("url", ["file:///C:/x/a.wav", "local:///C:/x/a.wav"])
def test_a_file_url_with_a_drive(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert resolve(url, None) == "/C:/x/a.wav"
    monkeypatch.setattr(address_module, "WINDOWS", True)
    assert resolve(url, None) == "C:/x/a.wav"
