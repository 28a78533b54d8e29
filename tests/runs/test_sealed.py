"""Addresses are kept without secrets, and recognised when they are given again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quest22.errors import UsageError
from quest22.runs.sealed import KEY, Seal, is_sealed, with_secrets
from quest22.settings import DatasetSettings

SAS = "https://a.blob.core.windows.net/b/c.tar?sv=2022-11-02&st={0}&se={0}&sr=b&sp=r&sig={0}%3D"
S3 = "https://b.s3.amazonaws.com/a.tar?X-Amz-Credential={0}&X-Amz-Date={0}&X-Amz-Signature={0}"
CLOUDFRONT = "https://d.cloudfront.net/a?Expires={0}&Signature={0}&Key-Pair-Id={0}"


@pytest.mark.parametrize(
    "address",
    [
        *(SAS, S3, CLOUDFRONT),
        "https://h/a?id=7&access_token={0}",
        *(f"https://h/a?{name}={{0}}" for name in ("api_key", "pwd", "jwt", "sas", "code", "hash")),
        *(f"https://h/a?{name}={{0}}" for name in ("st", "apiKey", "HMAC", "auth-token", "sid")),
        "https://h/a?k={0}9b1c7a4e5f60718293a4b5",
        "https://user:{0}@h/a",
        "https://{0}@h/a",
        "s3://{0}:{0}@bucket/a.tar",
        "zip://a.wav::https://u:{0}@h/c.zip?file=3&sig={0}",
    ],
)
def test_a_renewed_signature_is_the_same_dataset(tmp_path: Path, address: str) -> None:
    seal = Seal(tmp_path)
    first, second = (seal.address(address.format(secret)) for secret in ("hush1", "other2"))
    assert first == second
    assert is_sealed(first)
    assert "hush" not in first
    assert seal.address(first) == first == Seal(tmp_path).address(address.format("hush1"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://h/a?id=7", "https://h/a?id=8"),
        ("https://h/a?id=7&sig=a", "https://h/a?id=8&sig=a"),
        ("https://h/a?fileId=1AbCdEfGhIjKlMnOp234", "https://h/a?fileId=1AbCdEfGhIjKlMnOp567"),
        ("https://h/a?lang=en", "https://h/a?lang=ru"),
        ("https://h/a?sig=a", "https://h/b?sig=a"),
        ("https://h/a", "https://h/a?id=8"),
    ],
)
def test_another_file_is_another_dataset(tmp_path: Path, first: str, second: str) -> None:
    seal = Seal(tmp_path)
    assert seal.address(first) != seal.address(second)


@pytest.mark.parametrize(
    "address",
    ["https://h/a.tar", "org/name", "a?sig=1.wav", "s3://b/why?.tar", "hf://datasets/o/n@r/a"],
)
def test_an_address_without_secrets_stays(tmp_path: Path, address: str) -> None:
    assert Seal(tmp_path).address(address) == address
    assert not (tmp_path / KEY).exists()


def test_hashes_cannot_be_compared_between_folders(tmp_path: Path) -> None:
    seals = [Seal(tmp_path / name) for name in "ab"]
    assert len({seal.address("https://h/a?id=7") for seal in seals}) == 2


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_the_key_is_the_owners(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        Seal(tmp_path).address("https://h/a?id=7")
    finally:
        os.umask(umask)
    assert [path.stat().st_mode & 0o777 for path in ((tmp_path / KEY).parent, tmp_path / KEY)] == [
        0o700,
        0o600,
    ]


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        (DatasetSettings("https://h/a.tar?id=1&sig=x"), "https://h/a.tar?id=1&sig=y"),
        (DatasetSettings("parquet", data_files=("https://h/a?id=x",)), "https://h/a?id=x"),
        (DatasetSettings("org/name", data_files=("a.tar",)), None),
    ],
)
def test_secrets_are_given_again(tmp_path: Path, settings: DatasetSettings, given: str) -> None:
    seal = Seal(tmp_path)
    plan = seal.plan({"dataset": {"path": settings.path, "data_files": list(settings.data_files)}})
    kept = DatasetSettings(plan["dataset"]["path"], data_files=tuple(plan["dataset"]["data_files"]))
    whole = with_secrets(kept, [given] if given else [], seal, "quest22 retry out")
    assert given is None or given in (whole.path, *whole.data_files)
    if given:
        with pytest.raises(UsageError, match=r"give it again in full: quest22 retry out --dataset"):
            with_secrets(kept, [], seal, "quest22 retry out")
        with pytest.raises(UsageError, match="not https://h/b"):
            with_secrets(kept, ["https://h/b?sig=1"], seal, "quest22 retry out")
