"""Models are deleted from caches, and from nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from quest22.checkpoint.caches import find_cached, hub_repository
from quest22.checkpoint.removal import delete_entry, find_entry
from quest22.errors import CheckpointError, UsageError
from tests.support.caches import COMMIT, Caches

OTHER = "e" * 40


@pytest.fixture(scope="module")
def folder(multilingual: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole checkpoint of few bytes."""
    small = tmp_path_factory.mktemp("small") / "model"
    shutil.copytree(multilingual, small)
    (small / "model.safetensors").write_bytes(b"\0" * 64)
    return small


def in_blobs(caches: Caches, hub_id: str, folder: Path, commit: str = COMMIT) -> Path:
    """A snapshot of links into ``blobs``, as the Hub's client makes it; its repository."""
    snapshot = caches.add_to_hub(hub_id, folder, commit)
    repository = snapshot.parents[1]
    (repository / "blobs").mkdir(exist_ok=True)
    for path in list(snapshot.iterdir()):
        blob = repository / "blobs" / f"{path.name}-{commit[:4]}"
        path.rename(blob)
        path.symlink_to(Path("../../blobs") / blob.name)
    return repository


@pytest.mark.parametrize("name", ["tiny", "openai/whisper-tiny", "https://huggingface.co/{id}"])
def test_a_repository_goes_with_all_revisions_and_others_stay(
    caches: Caches, folder: Path, name: str
) -> None:
    repository = in_blobs(caches, "openai/whisper-tiny", folder)
    in_blobs(caches, "openai/whisper-tiny", folder, OTHER)
    neighbour = in_blobs(caches, "org/other", folder)  # with a commit of the same name
    before = sorted(neighbour.rglob("*"))
    entry = find_entry(name.format(id="openai/whisper-tiny"))
    assert (entry.title, entry.path, entry.revisions) == ("openai/whisper-tiny", repository, 2)
    kept = sum(path.stat().st_size for path in folder.iterdir())
    assert entry.size_bytes == 2 * kept + len(COMMIT)
    delete_entry(entry)
    assert not repository.exists()
    assert sorted(neighbour.rglob("*")) == before
    with pytest.raises(
        CheckpointError, match=r"tiny.* is in neither the Hub's cache nor quest22's"
    ):
        find_entry("tiny")


def test_links_out_of_the_cache_are_not_followed(
    caches: Caches, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "precious"
    shutil.copytree(folder, outside)
    repository = in_blobs(caches, "org/whisper", folder)
    snapshot = repository / "snapshots" / COMMIT
    (snapshot / "file").symlink_to(outside / "config.json")
    (snapshot / "folder").symlink_to(outside)
    (repository / "blobs" / "blob").symlink_to(outside / "tokenizer.json")
    entry = find_entry("org/whisper")
    assert entry.size_bytes < 2 * sum(path.stat().st_size for path in folder.iterdir())
    delete_entry(entry)
    assert not repository.exists()
    assert sorted(path.name for path in outside.iterdir()) == sorted(
        path.name for path in folder.iterdir()
    )


def test_an_entry_that_is_a_link_is_refused(caches: Caches, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    shutil.copytree(folder, outside)
    (caches.home / "hub").mkdir(parents=True)
    hub_repository("org/whisper").symlink_to(outside)
    with pytest.raises(UsageError, match="is a link or a file, and no folder of a cache"):
        find_entry("org/whisper")
    assert outside.is_dir()


@pytest.mark.parametrize("damage", ["no snapshot", "no weights", "lost blob", "unknown ref"])
def test_what_is_not_whole_can_be_deleted(caches: Caches, folder: Path, damage: str) -> None:
    repository = in_blobs(caches, "openai/whisper-tiny", folder)
    weights = repository / "snapshots" / COMMIT / "model.safetensors"
    if damage == "no snapshot":
        shutil.rmtree(repository / "snapshots")
    elif damage == "no weights":
        weights.unlink()
    elif damage == "lost blob":
        weights.resolve().unlink()
    else:
        (repository / "refs" / "v1").write_text(OTHER)
    (repository / "blobs" / "part.incomplete").write_bytes(bytes(77))
    entry = find_entry("tiny")
    assert entry.size_bytes >= 77
    delete_entry(entry)
    assert not repository.exists()


def test_a_short_name_is_what_model_takes(caches: Caches, folder: Path) -> None:
    own = caches.add_own("base", folder)
    repository = in_blobs(caches, "openai/whisper-base", folder)
    delete_entry(find_entry("base"))
    assert not repository.exists()
    found = find_cached("base")
    assert found is not None
    assert found.path == own
    entry = find_entry("base")
    assert (entry.title, entry.path) == ("base of quest22's cache", own)
    delete_entry(entry)
    assert not own.exists()
    assert own.parent.is_dir()


def test_a_path_in_a_cache_is_its_entry(caches: Caches, folder: Path) -> None:
    repository = in_blobs(caches, "org/whisper", folder)
    own = caches.add_own("mine", folder)
    for path in (repository, repository / "snapshots" / COMMIT / "config.json"):
        assert find_entry(str(path)).path == repository
    assert find_entry(str(own / "config.json")).path == own


def test_nothing_else_is_deleted(caches: Caches, folder: Path, tmp_path: Path) -> None:
    dataset = caches.home / "hub" / "datasets--org--d"
    dataset.mkdir(parents=True)
    weights = caches.home / "quest22" / "weights"
    weights.mkdir(parents=True)
    pickled = caches.home / "whisper" / "base.pt"
    pickled.parent.mkdir()
    pickled.touch()
    outside = caches.home / "hub" / ".." / "elsewhere"
    shutil.copytree(folder, outside)
    for path in (folder, dataset, caches.home / "hub", weights, pickled, outside):
        with pytest.raises(UsageError, match="is in no cache: only what lies in the Hub's cache"):
            find_entry(str(path))
        assert path.exists()
    with pytest.raises(UsageError, match="nano comes with the package, and goes with it"):
        find_entry("nano")
    with pytest.raises(CheckpointError, match="unknown model 'tinny'"):
        find_entry("tinny")
    with pytest.raises(CheckpointError, match="org/whisper is in neither"):
        find_entry("org/whisper")


def test_what_cannot_be_deleted_is_told(
    caches: Caches, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = caches.add_own("base", folder)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(CheckpointError, match=r"was not deleted wholly \(Permission denied\)"):
        delete_entry(find_entry("base"))
    assert own.is_dir()
    repository = in_blobs(caches, "org/whisper", folder)
    with pytest.raises(CheckpointError, match=r"was not deleted wholly"):
        delete_entry(find_entry("org/whisper"))
    assert repository.is_dir()
