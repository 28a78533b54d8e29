from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from quest22.checkpoint.resolve import resolve
from quest22.errors import CheckpointError, UsageError

NANO = resources.files("quest22.checkpoint") / "nano" / "config.json"
needs_nano = pytest.mark.skipif(not NANO.is_file(), reason="nano is not in this tree")


def test_a_folder_is_itself(multilingual: Path) -> None:
    found = resolve(str(multilingual))
    assert (found.folder, found.name, found.revision) == (multilingual, str(multilingual), None)


def test_a_folder_may_be_written_from_here_or_from_home(
    multilingual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(multilingual.parent)
    monkeypatch.setenv("HOME", str(multilingual.parent))
    for name in (f"./{multilingual.name}", multilingual.name, f"~/{multilingual.name}"):
        assert resolve(name).folder == multilingual


@needs_nano
def test_a_short_name_wins_over_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nano").mkdir()
    assert resolve("nano").folder != tmp_path / "nano"
    with pytest.raises(CheckpointError, match=r"nano has no config\.json"):
        resolve("./nano")


@needs_nano
def test_the_embedded_model_lies_in_the_package() -> None:
    found = resolve("nano")
    assert found.folder.parent.name == "checkpoint"
    assert (found.name, found.revision) == ("nano", None)


UNKNOWN = [
    ("tinny", r"unknown model 'tinny'.*did you mean tiny"),
    ("whisper-large-v3-trubo", "did you mean large-v3-turbo"),
    ("zzzz", "short names are nano, tiny"),
    ("", "unknown model ''"),
    ("a/b/c", "unknown model 'a/b/c'"),
    ("./nowhere", "nowhere does not exist: expected a model's folder"),
    ("/nowhere/at/all", "does not exist"),
    ("openai/../secret", "unknown model"),
    ("~nobody-of-that-name/model", "unknown model"),
    ("a\0b", "unknown model"),
    ("x" * 5000, "unknown model"),
]


@pytest.mark.parametrize(("name", "message"), UNKNOWN)
def test_an_unknown_name_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        resolve(name)


def test_a_file_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "base.pt"
    path.touch()
    with pytest.raises(CheckpointError, match="openai/whisper checkpoint, a pickle"):
        resolve(str(path))


def test_a_model_that_is_here_has_no_revisions(multilingual: Path) -> None:
    with pytest.raises(UsageError, match=r"^nano comes with the package and has no revisions: "):
        resolve("nano", revision="main")
    with pytest.raises(UsageError, match=r"is on this machine and has no revisions: .* 'v1'$"):
        resolve(str(multilingual), revision="v1")
