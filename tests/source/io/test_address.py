from __future__ import annotations

import pytest

from quest22.errors import ClipError
from quest22.source.io import address as address_module
from quest22.source.io.address import (
    common_folder,
    folder_of,
    is_remote,
    is_url,
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
        ("https://h/a?id=7", "https://h/a?id=7"),
        ("https://u:pw@h:80/a", "https://h:80/a"),
        ("https://h/a?id=7&X-Amz-Signature=ab&x-amz-date=1", "https://h/a?id=7&X-Amz-Signature=…&x-amz-date=…"),
        ("https://h/a?sig=1&key=2&access_token=3", "https://h/a?sig=…&key=…&access_token=…"),
        ("zip://x::https://h/a?token=t", "zip://x::https://h/a?token=…"),
        ("hf://datasets/o/n@main/a.parquet", "hf://datasets/o/n@main/a.parquet"),
    ],
)  # fmt: skip
def test_secrets_are_not_shown(address: str, shown: str) -> None:
    assert redact(address) == shown


def test_secrets_are_not_shown_in_messages() -> None:
    text = "404, url=('https://u:pw@h/a?token=abc'), see https://h/b."
    assert redact_text(text) == "404, url=('https://h/a?token=…'), see https://h/b."


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
