from __future__ import annotations

import json

import pytest

from quest22.errors import SourceError, UsageError
from quest22.evaluation.transcript_file import TranscriptFile
from quest22.sink.formats.arrow_table import schema_of, table_of
from quest22.sink.formats.jsonl import json_line
from quest22.sink.rows import row
from tests.support.results import transcript

OURS = [
    transcript("a", "One.", reference="one", columns={"speaker": 1, "language": "de"}),
    transcript("b", "Two."),
    transcript("c", "", reference="three", columns={"speaker": 2, "language": None}),
]


def write_jsonl(path):
    path.write_text("".join(json_line(row(each)) for each in OURS))


def write_parquet(path):
    import pyarrow.parquet as pq

    rows = [row(each) for each in OURS]
    pq.write_table(table_of(rows, schema_of(rows)), path)


@pytest.mark.parametrize(
    ("name", "write"), [("t.jsonl", write_jsonl), ("t.parquet", write_parquet)]
)
def test_what_we_wrote_ourselves(tmp_path, name, write):
    write(tmp_path / name)
    first, last = TranscriptFile(tmp_path / name).pairs()
    assert (first.key, first.reference, first.hypothesis, first.language) == (
        "a",
        "one",
        "One.",
        "de",
    )
    assert (first.columns["speaker"], first.columns["language"]) == (1, "de")
    assert (last.key, last.reference, last.hypothesis, last.language) == ("c", "three", "", "en")


@pytest.mark.parametrize(("suffix", "mark"), [("csv", ","), ("tsv", "\t")])
def test_tables_of_others(tmp_path, suffix, mark):
    path = tmp_path / f"t.{suffix}"
    path.write_text("\n".join(mark.join(line) for line in (["path", "sentence", "output"],
        ["x.mp3", "said", "heard"])))  # fmt: skip
    (pair,) = TranscriptFile(path, "output", "sentence").pairs()
    assert (pair.key, pair.reference, pair.hypothesis) == ("x.mp3", "said", "heard")


def test_references_in_a_file_of_their_own(tmp_path):
    write_jsonl(tmp_path / "t.jsonl")
    references = tmp_path / "references.tsv"
    references.write_text("id\ttext\nb\ttwo\na\tONE\nz\tzero\n")
    pairs = TranscriptFile(tmp_path / "t.jsonl", references=references).pairs()
    assert [(pair.key, pair.reference) for pair in pairs] == [("a", "ONE"), ("b", "two")]


def test_blank_lines_are_nothing(tmp_path):
    (tmp_path / "t.jsonl").write_text('\n{"text": "a", "reference": "b"}\n\n')
    (pair,) = TranscriptFile(tmp_path / "t.jsonl").pairs()
    assert pair.key == "row 1"


@pytest.mark.parametrize(
    ("name", "content", "texts", "message"),
    [
        ("t.jsonl", '{"text": "a"}\nnot', {}, "line 2: not JSON"),
        ("t.jsonl", "[1]", {}, "line 1: expected a JSON object"),
        ("t.jsonl", b"\xff\xfe{}", {}, "cannot be read"),
        (
            "t.jsonl",
            json.dumps({"reference": "a"}),
            {},
            "no column 'text'; its columns are: reference",
        ),
        ("t.jsonl", json.dumps({"text": "a"}), {"reference_column": "b"}, "no column 'b'"),
        ("t.parquet", "PAR", {}, "cannot be read as Parquet"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(tmp_path, name, content, texts, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SourceError, match=message) as raised:
        list(TranscriptFile(path, **texts).pairs())
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_not_there_or_is_no_table(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        list(TranscriptFile(tmp_path / "t.jsonl").pairs())
    with pytest.raises(UsageError, match=r"expected a \.jsonl"):
        list(TranscriptFile(tmp_path / "t.srt").pairs())
