"""The file of keys."""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path

import pytest

from quest22.errors import SourceError, UsageError
from quest22.server.access.keys import KeyRing, hash_of, new_key, read_keys, remove_key

GOOD = {"sha256": "0" * 64}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_is_shown_once_and_only_its_hash_is_kept(file: Path) -> None:
    key = new_key(file, "desk", max_live=2)
    assert key.startswith("q22_")
    assert key not in file.read_text(encoding="utf-8")
    assert read_keys(file)["desk"].sha256 == hash_of(key)
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_name_is_taken_once(file: Path) -> None:
    new_key(file, "desk")
    with pytest.raises(UsageError, match="a key desk already"):
        new_key(file, "desk")
    remove_key(file, "desk")
    with pytest.raises(UsageError, match="no key desk: expected none"):
        remove_key(file, "desk")


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65, "ключ", "-x"])
def test_names_that_cannot_be(file: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a key's name"):
        new_key(file, name)
    assert not file.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "Expecting value"),
        ("[]", "JSON object of names"),
        ("{" * 100_000, "Expecting property name"),
        ('{"a": {}}', "a: expected sha256"),
        ('{"a": 5}', "a: expected sha256"),
        ('{"a": {"sha256": "xyz"}}', "not a hash"),
        ('{"a": {"sha256": 5}}', "not a hash"),
        (json.dumps({"a": GOOD | {"secret": 1}}), "and perhaps max_live"),
        (json.dumps({"a": GOOD | {"max_live": "2"}}), "expected a whole number"),
        (json.dumps({"a": GOOD | {"max_live": -1}}), "expected 0 or more"),
        (json.dumps({"a": GOOD | {"audio_s_per_minute": 0}}), "above 0"),
    ],
)
def test_files_that_hold_no_keys(file: Path, content: str, reason: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=reason):
        read_keys(file)


def test_a_missing_file_tells_how_to_make_one(file: Path) -> None:
    with pytest.raises(SourceError, match="quest22 keys add NAME --keys"):
        KeyRing(file)


def test_whose_key_it_is(file: Path) -> None:
    keys = {name: new_key(file, name) for name in ("one", "two")}
    ring = KeyRing(file)
    for name, key in keys.items():
        found = ring.find(key)
        assert found is not None
        assert found[0] == name
    for wrong in ("", "q22_", keys["one"][:-1], keys["one"] + " ", "é", "\udcff", "x" * 100_000):
        assert ring.find(wrong) is None


def test_a_changed_file_is_read_again_and_a_bad_one_is_not(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = new_key(file, "one")
    ring = KeyRing(file)
    second = new_key(file, "two")
    assert ring.find(second) is None
    ring.refresh()
    assert ring.find(second) is not None
    remove_key(file, "one")
    ring.refresh()
    assert ring.find(first) is None
    for damage in (lambda: file.write_text("{", encoding="utf-8"), file.unlink):
        caplog.clear()
        damage()
        with caplog.at_level(logging.ERROR):
            ring.refresh()
            ring.refresh()
        assert len(caplog.records) == 1
        assert ring.find(second) is not None
