from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from quest22.errors import UsageError
from quest22.protocols import SinkState
from quest22.records import Failure, Origin, Position, Transcript
from quest22.runs.journal import JOURNAL, Journal, JournaledSink, Progress

PLAN = {"model": "nano", "split": "test", "stride": (5.0, 5.0)}
ORIGIN = Origin("org/name", "abc", "part-0.parquet", 7)


def transcript(key: str) -> Transcript:
    return Transcript(key, key, "hello", "en", 1.0, 2.5, (), ORIGIN)


def failure(key: str) -> Failure:
    return Failure(key, key, "audio", "broken", ORIGIN)


class Lines:
    """A sink that counts what it was given and what it published."""

    def __init__(self) -> None:
        self.written = 0
        self.published: list[int] = []
        self.closed = False

    def write(self, result: Transcript | Failure) -> None:
        self.written += 1

    def publish(self) -> SinkState:
        self.published.append(self.written)
        return {"lines": self.written}

    def close(self) -> None:
        self.closed = True


def test_progress_survives_the_process(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path / "out", PLAN)
    progress = Progress().after(transcript("a")).after(failure("b"))
    journal.commit(replace(progress, sinks={"jsonl": {"bytes": 12}}))
    read = Journal.read(tmp_path / "out")
    assert read is not None
    read.check(PLAN)
    assert read.progress == Progress(1, 1, 2.5, Position(2, "b", ORIGIN), {"jsonl": {"bytes": 12}})


def test_no_journal_is_none(tmp_path: Path) -> None:
    assert Journal.read(tmp_path) is None


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"model": "tiny"}, "model was 'nano' and is 'tiny'"),
        ({"revision": "def"}, "revision was None and is 'def'"),
        ({"stride": (4.0, 4.0)}, r"stride was \[5.0, 5.0\] and is \[4.0, 4.0\]"),
        ({"dataset": {"take": 7}}, r"dataset\.take was None and is 7"),
    ],
)
def test_another_plan_is_refused(tmp_path: Path, changed: dict[str, object], named: str) -> None:
    Journal.begin(tmp_path, PLAN)
    read = Journal.read(tmp_path)
    assert read is not None
    with pytest.raises(UsageError, match=named):
        read.check({**PLAN, **changed})


def test_a_part_of_a_plan_is_compared_alone(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path, {**PLAN, "dataset": {"path": "d", "take": 7}})
    journal.check_known({"dataset": {"path": "d"}})
    with pytest.raises(UsageError, match=r"dataset\.path was 'd' and is 'e'"):
        journal.check_known({"dataset": {"path": "e"}})
    with pytest.raises(UsageError, match=r"dataset\.take was 7 and is None"):
        journal.check({**PLAN, "dataset": {"path": "d"}})


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"quest22_journal": 99}', "null", "[" * 50_000,
     '{"quest22_journal": 1, "plan": [], "asked": [], "mark": []}',
     '{"quest22_journal": 2, "plan": [], "asked": [], "mark": []}'],
)  # fmt: skip
def test_a_foreign_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / JOURNAL).parent.mkdir()
    (tmp_path / JOURNAL).write_text(content)
    with pytest.raises(UsageError, match="cannot be read by this version of quest22"):
        Journal.read(tmp_path)


def test_the_journal_is_one_whole_file_after_every_commit(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path, PLAN)
    for count in range(5):
        journal.commit(Progress(transcripts=count))
        assert json.loads((tmp_path / JOURNAL).read_text())["mark"]["transcripts"] == count
    assert [path.name for path in (tmp_path / JOURNAL).parent.iterdir()] == ["journal.json"]


def test_results_are_published_before_they_are_recorded(tmp_path: Path) -> None:
    now = 0.0
    sink, journal = Lines(), Journal.begin(tmp_path, PLAN)
    journaled = JournaledSink(sink, journal, clock=lambda: now)
    journaled.write(transcript("a"))
    assert (sink.published, journal.progress.results) == ([], 0)
    now = 10.0
    journaled.write(failure("b"))
    assert (sink.published, journal.progress.results) == ([2], 2)
    journaled.write(transcript("c"))
    journaled.close()
    assert (sink.published, journal.progress.results, sink.closed) == ([2, 3], 3, False)
    assert not journal.progress.finished


def test_only_completing_finishes(tmp_path: Path) -> None:
    sink, journal = Lines(), Journal.begin(tmp_path, PLAN)
    journaled = JournaledSink(sink, journal)
    journaled.write(transcript("a"))
    journaled.complete()
    journaled.close()
    assert sink.closed
    read = Journal.read(tmp_path)
    assert read is not None
    assert read.progress.finished
    assert read.progress.results == 1


def test_a_replacement_that_was_left_half_done_is_finished(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path, PLAN)
    merge = tmp_path / ".quest22" / "merge"
    merge.mkdir()
    (merge / "transcripts.jsonl").write_text("new")
    for name in ("transcripts.jsonl", "failures.jsonl"):
        (tmp_path / name).write_text("old")
    record = json.loads((tmp_path / JOURNAL).read_text())
    (tmp_path / JOURNAL).write_text(json.dumps({**record, "outdated": ["failures.jsonl"]}))
    read = Journal.read(tmp_path)
    assert read is not None
    read.finish_replacement()
    assert (tmp_path / "transcripts.jsonl").read_text() == "new"
    assert not (tmp_path / "failures.jsonl").exists()
    assert not merge.exists()
    assert json.loads((tmp_path / JOURNAL).read_text()) == json.loads(json.dumps(record))
    journal.finish_replacement()


def test_the_fields_of_the_file(tmp_path: Path) -> None:
    Journal.begin(tmp_path, PLAN, {"command": "quest22 stream"})
    record = json.loads((tmp_path / JOURNAL).read_text())
    assert list(record) == ["quest22_journal", "plan", "asked", "mark", "outdated"]
    assert record["asked"] == {"command": "quest22 stream"}
