"""A repeated command leaves out what is done, and does what is new, changed or was lost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from quest22.errors import UsageError
from quest22.runs import file_run
from quest22.runs.done_files import DONE, DoneFiles
from quest22.runs.events import LeftOutDone, Resuming
from quest22.settings import RUN_FOLDER, DecodingSettings, PipelineSettings
from tests.runs.test_file_run import (
    BLOCK,
    BLOCKS,
    CountingEngine,
    contents,
    interrupt,
    perform,
)
from tests.runs.test_file_run import (
    file_run as run_of,
)
from tests.support.corpora import wav_bytes

TABLES = [("jsonl",), ("txt", "jsonl")]
CAPTIONS = [("txt",), ("srt", "vtt")]


@pytest.fixture
def talks(tmp_path: Path) -> list[str]:
    CountingEngine.windows = 0
    paths = [tmp_path / "talks" / f"talk-{number}.wav" for number in range(3)]
    paths[0].parent.mkdir()
    for number, path in enumerate(paths):
        path.write_bytes(wav_bytes(BLOCKS * BLOCK, seed=number))
    return [str(path) for path in paths]


def left_out(events: list) -> list[int]:
    return [event.files for event in events if isinstance(event, LeftOutDone)]


@pytest.mark.parametrize("formats", [*TABLES, *CAPTIONS, ("parquet",)])
def test_the_same_command_has_nothing_to_do(talks, tmp_path, formats):
    run = run_of(talks, tmp_path / "out", formats)
    perform(run)
    before, CountingEngine.windows = contents(tmp_path / "out"), 0
    summary, events = perform(run)
    assert (left_out(events), CountingEngine.windows) == ([3], 0)
    assert (summary.transcripts, summary.failures, summary.finished) == (0, 0, True)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("formats", [*TABLES, *CAPTIONS])
def test_only_new_files_are_transcribed(talks, tmp_path, formats):
    perform(run_of(talks, tmp_path / "whole", formats))
    perform(run_of(talks[:1], tmp_path / "out", formats))
    CountingEngine.windows = 0
    _, events = perform(run_of(talks, tmp_path / "out", formats))
    assert (left_out(events), CountingEngine.windows) == ([1], 2 * BLOCKS)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    _, events = perform(run_of(talks, tmp_path / "out", formats))
    assert left_out(events) == [3]


@pytest.mark.parametrize("formats", [*TABLES, *CAPTIONS])
@pytest.mark.parametrize("stop", [1, 2, 3])
def test_new_files_go_on_after_an_interruption(talks, tmp_path, formats, stop):
    perform(run_of(talks, tmp_path / "whole", formats))
    perform(run_of(talks[:1], tmp_path / "out", formats))
    interrupt(run_of(talks, tmp_path / "out", formats), stop)
    CountingEngine.windows = 0
    _, events = perform(run_of(talks, tmp_path / "out", formats))
    assert left_out(events) == [1]
    assert any(isinstance(event, Resuming) for event in events)
    assert CountingEngine.windows < 2 * BLOCKS
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_run_that_dies_before_its_files_are_recorded(talks, tmp_path, monkeypatch):
    run = run_of(talks, tmp_path / "out", ("txt", "jsonl"))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DoneFiles, "write", die)
        with pytest.raises(KeyboardInterrupt):
            perform(run)
    before = contents(tmp_path / "out")
    _, events = perform(run)
    assert left_out(events) == [3]
    assert contents(tmp_path / "out") == before
    assert sorted(path.name for path in (tmp_path / "out" / RUN_FOLDER).iterdir()) == ["done.json"]


def test_a_changed_file_is_transcribed_again(talks, tmp_path):
    run = run_of(talks, tmp_path / "out", ("txt",))
    perform(run)
    Path(talks[1]).write_bytes(wav_bytes(BLOCK, seed=9))
    before, CountingEngine.windows = contents(tmp_path / "out"), 0
    _, events = perform(run)
    assert (left_out(events), CountingEngine.windows) == ([2], 1)
    after = contents(tmp_path / "out")
    assert [name for name in after if after[name] != before[name]] == ["talk-1.txt"]


def test_a_changed_file_whose_row_is_in_a_table_is_told(talks, tmp_path):
    run = run_of(talks, tmp_path / "out", ("jsonl",))
    perform(run)
    Path(talks[1]).write_bytes(wav_bytes(BLOCK, seed=9))
    with pytest.raises(UsageError, match=r"talk-1\.wav has changed since .* --overwrite"):
        perform(run)
    summary, _ = perform(run_of(talks, tmp_path / "out", ("jsonl",), overwrite=True))
    assert summary.transcripts == 3
    assert len((tmp_path / "out" / "transcripts.jsonl").read_text().splitlines()) == 3


def test_a_renamed_file_is_a_new_one(talks, tmp_path):
    perform(run_of(talks, tmp_path / "out", ("txt",)))
    renamed = Path(talks[0]).with_name("other.wav")
    Path(talks[0]).rename(renamed)
    _, events = perform(run_of([str(renamed), *talks[1:]], tmp_path / "out", ("txt",)))
    assert left_out(events) == [2]
    assert "other.txt" in contents(tmp_path / "out")


def test_lost_captions_are_made_again_and_edited_ones_kept(talks, tmp_path):
    run = run_of(talks, tmp_path / "out", ("txt", "srt"))
    perform(run)
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "talk-0.srt").unlink()
    (tmp_path / "out" / "talk-1.txt").write_text("better")
    _, events = perform(run)
    (event,) = [each for each in events if isinstance(each, LeftOutDone)]
    assert (event.files, event.edited) == (2, ("talk-1.txt",))
    assert contents(tmp_path / "out") == before | {"talk-1.txt": b"better"}


def test_other_settings_are_another_thing(talks, tmp_path):
    run = run_of(talks, tmp_path / "out", ("txt",))
    perform(run)
    other = PipelineSettings(run.pipeline.engine, decoding=DecodingSettings(task="translate"))
    _, events = perform(file_run.FileRun(run.files, other, run.output))
    assert left_out(events) == []
    _, events = perform(run_of(talks, tmp_path / "out", ("srt",)))
    assert left_out(events) == []
    assert {"talk-0.txt", "talk-0.srt"} < contents(tmp_path / "out").keys()


def test_a_table_with_other_settings_is_not_added_to(talks, tmp_path):
    run = run_of(talks[:1], tmp_path / "out", ("jsonl",))
    perform(run)
    other = PipelineSettings(run.pipeline.engine, decoding=DecodingSettings(task="translate"))
    with pytest.raises(UsageError, match="contains transcripts of an earlier run"):
        perform(file_run.FileRun(run.files, other, run.output))


def test_nothing_is_added_to_a_finished_parquet_file(talks, tmp_path):
    perform(run_of(talks[:1], tmp_path / "out", ("parquet",)))
    before = contents(tmp_path / "out")
    with pytest.raises(UsageError, match=r"is finished, and 2 more files are to be transcribed"):
        perform(run_of(talks, tmp_path / "out", ("parquet",)))
    assert contents(tmp_path / "out") == before


def test_a_lost_table_is_made_again(talks, tmp_path):
    run = run_of(talks, tmp_path / "out", ("jsonl",))
    perform(run)
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "transcripts.jsonl").unlink()
    _, events = perform(run)
    assert (left_out(events), contents(tmp_path / "out")) == ([], before)


def test_overwriting_transcribes_again(talks, tmp_path):
    perform(run_of(talks, tmp_path / "out", ("txt", "jsonl")))
    before, CountingEngine.windows = contents(tmp_path / "out"), 0
    _, events = perform(run_of(talks, tmp_path / "out", ("txt", "jsonl"), overwrite=True))
    assert (left_out(events), CountingEngine.windows) == ([], 3 * BLOCKS)
    assert contents(tmp_path / "out") == before


def test_failed_files_are_tried_again(talks, tmp_path):
    good = Path(talks[1]).read_bytes()
    Path(talks[1]).write_bytes(b"no sound")
    run = run_of(talks, tmp_path / "out", ("txt", "jsonl"))
    summary, _ = perform(run)
    assert (summary.transcripts, summary.failures) == (2, 1)
    summary, events = perform(run)
    assert (left_out(events), summary.failures) == ([2], 1)
    assert len((tmp_path / "out" / "failures.jsonl").read_text().splitlines()) == 1
    Path(talks[1]).write_bytes(good)
    summary, events = perform(run)
    assert (left_out(events), summary.transcripts, summary.failures) == ([2], 1, 0)
    assert not (tmp_path / "out" / "failures.jsonl").exists()
    rows = (tmp_path / "out" / "transcripts.jsonl").read_text().splitlines()
    assert sorted(Path(json.loads(row)["id"]).name for row in rows) == [
        "talk-0.wav",
        "talk-1.wav",
        "talk-2.wav",
    ]


def test_names_of_what_is_done_are_not_given_again(talks, tmp_path):
    shutil.copy(talks[0], tmp_path / "talk.wav")
    perform(run_of([str(tmp_path / "talk.wav")], tmp_path / "out", ("txt",)))
    before = contents(tmp_path / "out")
    shutil.copy(talks[1], tmp_path / "talk.mp3")
    both = [str(tmp_path / "talk.mp3"), str(tmp_path / "talk.wav")]
    for _ in range(2):
        perform(run_of(both, tmp_path / "out", ("txt",)))
    after = contents(tmp_path / "out")
    assert (len(after), after["talk.txt"]) == (2, before["talk.txt"])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"quest22_done": 1, "files": {"a": 5}}'])
def test_a_record_that_cannot_be_read_is_none(talks, tmp_path, content):
    run = run_of(talks[:1], tmp_path / "out", ("txt",))
    perform(run)
    (tmp_path / "out" / DONE).write_text(content)
    _, events = perform(run)
    assert left_out(events) == []
    _, events = perform(run)
    assert left_out(events) == [1]


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_the_record_is_its_owner_s(talks, tmp_path):
    perform(run_of(talks[:1], tmp_path / "out", ("txt",)))
    assert (tmp_path / "out" / DONE).stat().st_mode & 0o777 == 0o600
