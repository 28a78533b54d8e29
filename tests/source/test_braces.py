from __future__ import annotations

from pathlib import Path

import pytest

from quest22.errors import SourceError, UsageError
from quest22.metrics import Metrics
from quest22.source.braces import expanded
from quest22.source.files import FilesSource
from quest22.source.listing import find_media


@pytest.mark.parametrize(
    ("pattern", "addresses"),
    [
        ("a.tar", ["a.tar"]),
        ("{8..11}.tar", ["8.tar", "9.tar", "10.tar", "11.tar"]),
        ("a-{008..010}.tar", ["a-008.tar", "a-009.tar", "a-010.tar"]),
        ("{2..0}", ["2", "1", "0"]),
        ("{0..10..5}", ["0", "5", "10"]),
        ("{-01..1}", ["-01", "000", "001"]),
        ("{train,test}-{0..1}", ["train-0", "train-1", "test-0", "test-1"]),
        ("{a,}b", ["ab", "b"]),
        ("{}{x}{1..}{..2}", ["{}{x}{1..}{..2}"]),
        ("s3://b/{0..1}.tar?x={y}", ["s3://b/0.tar?x={y}", "s3://b/1.tar?x={y}"]),
    ],
)
def test_braces(pattern: str, addresses: list[str]) -> None:
    assert expanded(pattern) == addresses


@pytest.mark.parametrize("pattern", ["{0..99999999999}", "{0..9999}{0..9999}", "{1,2}" * 40])
def test_too_many_files_say_so(pattern: str) -> None:
    with pytest.raises(UsageError, match="more than 1,000,000 files"):
        expanded(pattern)


def test_files_named_by_braces(tmp_path: Path) -> None:
    for name in ("1.wav", "3.wav", "{1..3}x.wav"):
        (tmp_path / name).write_bytes(b"RIFF")
    found = find_media(str(tmp_path / "{1..3}.wav"))
    assert [(file.name, file.missing is None) for file in found] == [
        ("1.wav", True),
        ("2.wav", False),
        ("3.wav", True),
    ]
    (literal,) = find_media(str(tmp_path / "{1..3}x.wav"))
    assert literal.missing is None
    with pytest.raises(SourceError, match="and 1 more"):
        FilesSource([str(tmp_path / "{4..5}.wav")], metrics=Metrics())
