"""Transcripts of a run in other formats are those that the run itself would have written."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import quest22
from quest22.errors import SinkError, UsageError
from quest22.runs.export import ExportSettings, export, name_of
from quest22.settings import CAPTION_FORMATS, RUN_FOLDER, CaptionSettings
from tests.runs.dying import DyingDigestPipeline
from tests.torture.kills import outputs
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline, RunSpec

SHOWN = ("txt", "srt", "vtt", "tsv")


def spec(data, folder, formats, load=DigestPipeline):
    return RunSpec(data, folder, load=load, changes={"formats": formats})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, 15)
    return folder


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """What a run with all formats writes."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    spec(data, folder, (*CAPTION_FORMATS, "jsonl", "parquet")).run()
    return outputs(folder)


def of(files, *suffixes):
    return {name: content for name, content in files.items() if name.endswith(suffixes)}


@pytest.mark.parametrize("made_from", ["jsonl", "parquet", "json"])
def test_every_format_from_every_form(data, whole, tmp_path, made_from):
    spec(data, tmp_path / "out", (made_from,)).run()
    chosen = tuple({*SHOWN, "jsonl", "parquet"} - {made_from})
    (summary,) = export(tmp_path / "out", ExportSettings(chosen, tmp_path / "new"))
    assert (summary.transcripts, summary.unreadable) == (12, 0)
    written = outputs(tmp_path / "new")
    assert of(written, *SHOWN) == of(whole, *SHOWN)
    if made_from == "json":
        assert any("no durations" in note for note in summary.notes)
        return
    if made_from == "parquet":
        assert of(written, ".jsonl") == of(whole, "transcripts.jsonl")
    else:
        (tmp_path / "t.parquet").write_bytes(whole["transcripts.parquet"])
        table = pq.read_table(tmp_path / "new" / "transcripts.parquet")
        assert table.equals(pq.read_table(tmp_path / "t.parquet"))


def test_an_unfinished_run_gives_what_it_has(data, tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        spec(data, folder, ("parquet",), DyingDigestPipeline).run()
    (summary,) = export(folder, ExportSettings(("jsonl", "srt")))
    assert summary.source == folder / RUN_FOLDER / "rows.jsonl"
    assert "not finished" in summary.notes[-1]
    assert len((folder / "transcripts.jsonl").read_text().splitlines()) == summary.transcripts > 0
    before = (folder / "transcripts.jsonl").read_bytes()
    spec(data, folder, ("parquet",)).run()
    assert (folder / "transcripts.jsonl").read_bytes() == before


def test_a_damaged_spool_gives_the_rest(data, tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        spec(data, folder, ("parquet",), DyingDigestPipeline).run()
    path = folder / RUN_FOLDER / "rows.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"\xff{nothing\n", *lines[2:]]))
    with pytest.raises(SinkError, match="was changed"):
        spec(data, folder, ("parquet",)).run()
    (summary,) = export(folder, ExportSettings(("parquet",), tmp_path / "new"))
    assert (summary.transcripts, summary.unreadable) == (len(lines) - 1, 1)
    assert any("line 2" in note for note in summary.notes)
    assert pq.read_table(tmp_path / "new" / "transcripts.parquet").num_rows == len(lines) - 1


def test_what_was_edited_is_taken_as_it_is(data, tmp_path):
    folder = tmp_path / "out"
    spec(data, folder, ("jsonl",)).run()
    path = folder / "transcripts.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["segments"][0]["text"] = "corrected"
    path.write_text("".join(json.dumps(row) + "\r\n" for row in rows))
    (summary,) = export(folder, ExportSettings(("srt",)))
    assert any("taken as it is" in note for note in summary.notes)
    assert any("corrected" in each.read_text() for each in folder.rglob("*.srt"))


def test_nothing_is_replaced_unasked(data, tmp_path):
    folder = tmp_path / "out"
    spec(data, folder, ("jsonl", "srt")).run()
    export(folder, ExportSettings(("srt",)))  # the same again
    caption = next(folder.rglob("*.srt"))
    caption.write_text("mine")
    with pytest.raises(UsageError, match="--overwrite"):
        export(folder, ExportSettings(("srt",)))
    assert caption.read_text() == "mine"
    export(folder, ExportSettings(("srt",), overwrite=True))
    assert caption.read_text() != "mine"
    with pytest.raises(UsageError, match="is what the run has written"):
        export(folder, ExportSettings(("jsonl",), overwrite=True))


@pytest.mark.parametrize(
    ("formats", "told"), [(("srt", "txt"), "holds srt, txt only"), ((), "holds no transcripts")]
)
def test_what_cannot_be_made(data, tmp_path, formats, told):
    folder = tmp_path / "out"
    folder.mkdir()
    if formats:
        spec(data, folder, formats).run()
    with pytest.raises(UsageError, match=told):
        export(folder, ExportSettings(("vtt",), tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_captions_without_words_say_so(data, tmp_path):
    spec(data, tmp_path / "out", ("jsonl",)).run()
    settings = ExportSettings(("vtt",), captions=CaptionSettings(max_words_per_line=2))
    (summary,) = export(tmp_path / "out", settings)
    assert any("--word-timestamps" in note for note in summary.notes)


def test_shards_are_exported_one_by_one(data, tmp_path):
    for index in range(2):
        rows = {"num_shards": 2, "shard_index": index}
        RunSpec(data, tmp_path / "out", load=DigestPipeline, dataset=rows).run()
    summaries = export(tmp_path / "out", ExportSettings(("tsv",), tmp_path / "new"))
    assert sum(each.transcripts for each in summaries) == 12
    assert {each.folder.name for each in summaries} == {
        "shard-00000-of-00002",
        "shard-00001-of-00002",
    }


def test_a_file_of_rows(data, tmp_path):
    spec(data, tmp_path / "out", ("jsonl",)).run()
    path = tmp_path / "rows.jsonl"
    (tmp_path / "out" / "transcripts.jsonl").rename(path)
    (summary,) = quest22.export(path, "txt,tsv", tmp_path / "new", max_line_width=20)
    assert summary.transcripts == 12
    with pytest.raises(UsageError, match="expected a run's folder"):
        quest22.export(Path(__file__), "txt")


@pytest.mark.parametrize(
    ("key", "dataset", "file", "name"),
    [
        ("key", "org/name", "data/a.parquet", "key"),
        ("lectures/day1/a.mp3", "lectures", "lectures/day1/a.mp3", "day1/a.mp3"),
        ("/x/a.mp3", "/x/*.mp3", "/x/a.mp3", "a.mp3"),
        ("/x/a.mp3", "/x/a.mp3", "/x/a.mp3", "a.mp3"),
        ("https://h/d/a.mp3?…", "https://h/d/a.mp3?…", "https://h/d/a.mp3?…", "a.mp3"),
    ],
)
def test_names_are_the_runs(key, dataset, file, name):
    assert name_of({"id": key, "origin": {"dataset": dataset, "file": file}}) == name
