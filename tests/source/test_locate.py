from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quest22.errors import SourceError, UsageError
from quest22.settings import DatasetSettings
from quest22.source.locate import builder_of, locate


@pytest.mark.parametrize(
    ("address", "builder"),
    [
        ("a.parquet", "parquet"),
        ("dir.json/a.PARQUET", "parquet"),
        ("https://h/a.tar?x=.csv", "webdataset"),
        ("s3://b/**/a-*.tar.gz", "webdataset"),
        ("a.tgz", "webdataset"),
        ("a.jsonl.zst", "json"),
        ("a.json", "json"),
        ("a.csv.gz", "csv"),
        ("a.tsv", "csv"),
        ("a.wav", None),
        ("a.gz", None),
        ("org/name", None),
        ("parquet", None),
    ],
)
def test_builders_by_name(address: str, builder: str | None) -> None:
    assert builder_of(address) == builder


@pytest.mark.parametrize(
    ("settings", "builder", "files", "options"),
    [
        ({"path": "csv", "data_files": ("a.tsv",)}, "csv", ("a.tsv",), {"sep": "\t"}),
        ({"path": "csv", "data_files": ("a.csv",)}, "csv", ("a.csv",), {}),
        ({"path": "a.parquet", "data_files": ("b.parquet",)}, "parquet",
         ("a.parquet", "b.parquet"), {}),
        ({"path": "https://h/a.tar"}, "webdataset", ("https://h/a.tar",), {}),
    ],
)  # fmt: skip
def test_files_name_their_builder(
    settings: dict[str, Any], builder: str, files: tuple[str, ...], options: dict[str, Any]
) -> None:
    request = locate(DatasetSettings(**settings))
    assert (request.path, request.builder, request.data_files) == (builder, builder, files)
    assert options.items() <= request.options.items()


def test_a_folder_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "corpus").mkdir()
    monkeypatch.chdir(tmp_path)
    request = locate(DatasetSettings("corpus", config="clean", data_files=("a.csv",)))
    assert (request.path, request.config) == (str(tmp_path / "corpus"), "clean")
    folder = locate(DatasetSettings("audiofolder", data_files=("corpus",)))
    assert folder.data_files == ("corpus/**",)


def test_the_token_is_not_shown() -> None:
    settings = DatasetSettings("a.parquet", token="hf_secret")
    assert locate(settings).token == "hf_secret"
    assert "hf_secret" not in repr(settings) + repr(locate(settings))


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("parquet", UsageError, "--data-files"),
        (" ", UsageError, "no dataset given"),
        ("./none", SourceError, "no such file or folder: ./none"),
        ("a/b/c", SourceError, "expected a Hub id"),
        ("https://h/page", SourceError, "no such dataset address"),
        ("talk.mp3", SourceError, "use quest22 transcribe"),
        ("https://h/talk.mp3?x=1", SourceError, "use quest22 transcribe"),
    ],
)
def test_what_names_no_dataset(path: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        locate(DatasetSettings(path))
