from __future__ import annotations

import os
from pathlib import Path

import pytest

from quest22.errors import SourceError
from quest22.metrics import Metrics
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from quest22.source.io.retry import RetryingClient
from quest22.source.patterns import refuse_gaps
from tests.support.systems import posix_only


def check(patterns: list[Path], files: list[Path]) -> None:
    refuse_gaps(list(map(str, patterns)), list(map(str, files)), RetryingClient())


def test_each_pattern_has_files(tmp_path: Path) -> None:
    for name in ("a1.tar", "b[1].tar"):
        (tmp_path / name).touch()
    files = [tmp_path / "a1.tar", tmp_path / "b[1].tar"]
    check([tmp_path / "a*.tar", tmp_path / "b[[]1].tar", tmp_path / "**" / "*.tar"], files)
    with pytest.raises(SourceError, match=r"no files match .*/c\*.tar"):
        check([tmp_path / "a*.tar", tmp_path / "c*.tar"], files)


@posix_only
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_data_files_that_are_none_are_not_left_out(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.tar").touch()
    odd = tmp_path / "b.tar"
    if kind == "link":
        odd.symlink_to("nowhere")
    else:
        os.mkfifo(odd)
    with pytest.raises(SourceError, match=rf"it is a {kind}.*b\.tar"):
        check([tmp_path / "*.tar"], [tmp_path / "a.tar"])


def test_an_empty_folder_among_data_files(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "a", "audio": "a.wav"}\n')
    (tmp_path / "b").mkdir()
    with pytest.raises(SourceError, match="no files match"):
        DatasetSource(
            DatasetSettings("json", data_files=(str(tmp_path / "a.jsonl"), str(tmp_path / "b"))),
            metrics=Metrics(),
        )
