from __future__ import annotations

from pathlib import Path

import pytest

from quest22.errors import SourceError
from quest22.metrics import Metrics
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from quest22.source.split_names import files_of_split
from tests.support import corpora

FILES = ["/d/train-0.parquet", "/d/train-1.parquet", "/d/test.parquet", "/d/x/dev/a.parquet"]


@pytest.mark.parametrize(
    ("files", "split", "chosen"),
    [
        (FILES, "train", [0, 1]),
        (FILES, "test", [2]),
        (FILES, "validation", [3]),
        (
            ["/test/a.tar", "/test/b.tar"],
            "train",
            [0, 1],
        ),  # the folder that all are in says nothing
        (["/test/a.tar", "/test/b.tar"], "dev", [0, 1]),
        (["/d/clean/a.tar", "/d/other/a.tar"], "clean", [0]),
        (["/d/latest.tar", "/d/contest.tar"], "test", [0, 1]),
        (["/d/test-a.tar"], "train", [0]),
        (["https://h/d/TEST-0.tar?train=1", "https://h/d/val_0.tar"], "test", [0]),
    ],
)
def test_names_tell_the_split(files: list[str], split: str, chosen: list[int]) -> None:
    assert files_of_split(files, split) == [files[number] for number in chosen]


def test_a_split_that_no_file_is_of() -> None:
    with pytest.raises(SourceError, match=r"no split 'extra'.*after test, train, validation"):
        files_of_split(FILES, "extra")


@pytest.mark.parametrize("kind", ["parquet", "webdataset"])
@pytest.mark.parametrize("pattern", ["", "*", "**/*"])
def test_split_with_a_builder(tmp_path: Path, kind: str, pattern: str) -> None:
    write = corpora.write_parquet if kind == "parquet" else corpora.write_tar
    suffix = "parquet" if kind == "parquet" else "tar"
    for split, start in (("train", 0), ("test", 2)):
        write(tmp_path / f"{split}-0.{suffix}", corpora.samples(2, start))
    for split, start in (("train", 0), ("test", 2)):
        source = DatasetSource(
            DatasetSettings(kind, data_files=(str(tmp_path / pattern),), split=split), Metrics()
        )
        assert [clip.key for clip in source] == [f"utt-{start:03d}", f"utt-{start + 1:03d}"]
    with pytest.raises(SourceError, match="no split 'dev'"):
        DatasetSource(
            DatasetSettings(kind, data_files=(str(tmp_path / pattern),), split="dev"), Metrics()
        )


def test_files_named_one_by_one_are_all_read(tmp_path: Path) -> None:
    files = [str(tmp_path / f"{split}.parquet") for split in ("train", "test")]
    for start, file in enumerate(files):
        corpora.write_parquet(Path(file), corpora.samples(1, start))
    source = DatasetSource(DatasetSettings("parquet", data_files=tuple(files)), Metrics())
    assert [clip.key for clip in source] == ["utt-000", "utt-001"]
