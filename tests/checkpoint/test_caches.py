"""Which checkpoint a short name is, and which is taken where none is named."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from quest22.checkpoint.caches import (
    best_cached,
    best_model,
    cached_checkpoints,
    disk_bytes,
    find_cached,
    find_cached_id,
)
from quest22.checkpoint.known_models import BEST_FIRST, KNOWN_MODELS
from quest22.checkpoint.resolve import hub_id_of, locate, resolve
from quest22.errors import CheckpointError, UsageError
from tests.support.caches import COMMIT, Caches

OTHER = "f" * 40


def missing() -> NoReturn:
    pytest.fail("the checkpoint is in no cache")


@pytest.fixture(scope="module")
def folder(multilingual: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole checkpoint of few bytes: nothing here reads its weights."""
    small = tmp_path_factory.mktemp("small") / "model"
    shutil.copytree(multilingual, small)
    (small / "model.safetensors").write_bytes(b"\0" * 64)
    return small


@pytest.fixture(scope="module")
def converted(ctranslate2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as CTranslate2's."""
    small = tmp_path_factory.mktemp("converted") / "model"
    shutil.copytree(ctranslate2, small)
    head = (ctranslate2 / "model.bin").read_bytes()[:64]
    (small / "model.bin").write_bytes(head)
    return small


def test_the_original_comes_before_its_conversion_and_the_hubs_cache_before_the_own(
    caches: Caches, folder: Path, converted: Path
) -> None:
    assert find_cached("base") is None
    own = caches.add_own("base", converted)
    assert resolve("base").folder == own
    caches.add_to_hub("Systran/faster-whisper-base", converted, OTHER)
    found = resolve("base")
    assert (found.name, found.revision) == ("base", OTHER)
    assert found.origin == "Systran/faster-whisper-base"
    caches.add_to_hub("openai/whisper-base", folder)
    found = resolve("base")
    assert (found.origin, found.revision) == ("openai/whisper-base", COMMIT)
    assert find_cached("tiny") is None


def test_a_commit_is_found_in_the_repository_that_has_it(
    caches: Caches, folder: Path, converted: Path
) -> None:
    caches.add_to_hub("openai/whisper-base", folder)
    caches.add_to_hub("Systran/faster-whisper-base", converted, OTHER)
    caches.add_own("base", converted)
    assert resolve("base", revision=OTHER).origin == "Systran/faster-whisper-base"
    assert find_cached("base", "0" * 40) is None


@pytest.mark.parametrize(
    ("name", "hub_id"),
    [
        ("large-v1", "Systran/faster-whisper-large-v1"),
        ("large", "Systran/faster-whisper-large-v3"),
        ("small.en", "Systran/faster-whisper-small.en"),
        ("turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
        ("distil-large-v3", "Systran/faster-distil-whisper-large-v3"),
        ("distil-large-v3.5", "distil-whisper/distil-large-v3.5-ct2"),
    ],
)
def test_what_faster_whisper_downloaded_is_found(
    caches: Caches, converted: Path, name: str, hub_id: str
) -> None:
    caches.add_to_hub(hub_id, converted)
    found = find_cached(name)
    assert found is not None
    assert (found.origin, found.format) == (hub_id, "CTranslate2")


@pytest.mark.reference
def test_every_name_of_faster_whispers_is_known() -> None:
    theirs = pytest.importorskip("faster_whisper.utils")._MODELS
    assert {name: KNOWN_MODELS[name].converted_ids[0] for name in theirs} == theirs


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_part_of_a_checkpoint_is_none(caches: Caches, folder: Path, file: str) -> None:
    snapshot = caches.add_to_hub("openai/whisper-base", folder)
    (snapshot / file).unlink()
    assert find_cached("base") is None


def test_another_kind_of_model_is_none(caches: Caches, folder: Path, converted: Path) -> None:
    bert = caches.add_to_hub("org/bert", folder)
    (bert / "config.json").write_text('{"model_type": "bert"}')
    translator = caches.add_to_hub("org/translator", converted)
    (translator / "model.bin").write_bytes(b"\6\0\0\0\x10\0TransformerSpec\0")
    assert list(cached_checkpoints()) == []


def test_every_cache_is_listed(caches: Caches, folder: Path, converted: Path, ggml: Path) -> None:
    caches.add_to_hub("Systran/faster-whisper-base", converted)
    caches.add_to_hub("openai/whisper-large-v3-turbo", folder)
    caches.add_to_hub("org/finetuned", folder)
    files = ggml.parent
    caches.add_to_hub("ggerganov/whisper.cpp", files)
    caches.add_own("tiny.en", converted)
    pickled = caches.home / "whisper" / "base.pt"
    pickled.parent.mkdir()
    pickled.write_bytes(b"12345")
    found = [(each.name, each.format, each.origin) for each in cached_checkpoints()]
    assert found == [
        ("Systran/faster-whisper-base", "CTranslate2", "Systran/faster-whisper-base"),
        (found[1][0], "ggml", "ggerganov/whisper.cpp"),
        ("large-v3-turbo", "safetensors", "openai/whisper-large-v3-turbo"),
        ("org/finetuned", "safetensors", "org/finetuned"),
        ("tiny.en", "CTranslate2", "quest22's cache"),
        (None, "pickle", "openai/whisper's cache"),
    ]
    assert str(found[1][0]).endswith(ggml.name)
    assert {each.size_bytes for each in cached_checkpoints() if each.format != "ggml"} == {64, 5}


def test_the_best_is_multilingual_then_large_and_turbo_before_large(
    caches: Caches, converted: Path, caplog: pytest.LogCaptureFixture
) -> None:
    order = ("medium.en", "tiny", "base", "large-v3", "large-v3-turbo")
    with caplog.at_level(logging.WARNING, "quest22"):
        for name in order:
            caches.add_own(name, converted)
            assert best_model() == name
    assert caplog.messages[0] == (
        "no model is named: medium.en is the best in the caches (quest22's cache), for English only"
    )
    assert caplog.messages[-1].endswith(
        "large-v3-turbo is the best in the caches (quest22's cache)"
    )


def test_every_name_has_its_place_and_multilingual_ones_the_first() -> None:
    ranked = [KNOWN_MODELS[name] for name in BEST_FIRST]
    assert {each.hub_id for each in ranked} == {each.hub_id for each in KNOWN_MODELS.values()}
    assert [each.multilingual for each in ranked] == [True] * 8 + [False] * 9


def test_without_any_a_model_is_to_be_named(caches: Caches) -> None:
    assert best_cached() is None
    with pytest.raises(UsageError, match=r"^no model is named .* -m base .* downloads 290 MB; .*"):
        best_model()


def test_what_is_here_is_located_by_every_name_without_the_hub(
    caches: Caches, folder: Path
) -> None:
    assert locate("tiny") is locate("openai/whisper-tiny") is None
    snapshot = caches.add_to_hub("openai/whisper-tiny", folder)
    for name in ("tiny", "openai/whisper-tiny", "https://huggingface.co/openai/whisper-tiny"):
        found = locate(name)
        assert found is not None
        assert (found.folder, found.revision, found.origin) == (
            snapshot,
            COMMIT,
            "openai/whisper-tiny",
        )
    assert (locate(str(folder)) or missing()).folder == folder
    with pytest.raises(CheckpointError, match="unknown model 'tinny'"):
        locate("tinny")
    assert [hub_id_of(name) for name in ("tiny", str(folder), "org/a")] == [None, None, "org/a"]


def test_disk_counts_all_revisions_each_file_once_and_nothing_outside(
    caches: Caches, folder: Path, tmp_path: Path
) -> None:
    snapshot = caches.add_to_hub("org/whisper", folder)
    own = sum(path.stat().st_size for path in folder.iterdir())
    commit = len(COMMIT)
    repository = snapshot.parents[1]
    blobs = repository / "blobs"
    blobs.mkdir()
    (blobs / "broken.incomplete").write_bytes(b"123")
    (blobs / "old").write_bytes(b"12345")
    older = repository / "snapshots" / OTHER
    older.mkdir()
    (older / "model.safetensors").symlink_to(blobs / "old")
    (older / "again").symlink_to(blobs / "old")
    shared = caches.home / "hub" / "blobs" / "ab"
    shared.mkdir(parents=True)
    (shared / "xet").write_bytes(b"1234567")
    (blobs / "shared").symlink_to(shared / "xet")
    (tmp_path / "outside").write_bytes(bytes(1000))
    (older / "outside").symlink_to(tmp_path / "outside")
    found = find_cached_id("org/whisper")
    assert found is not None
    assert disk_bytes(found) == own + commit + 3 + 5 + 7
    caches.add_own("tiny", folder)
    assert disk_bytes(find_cached("tiny") or missing()) == own
