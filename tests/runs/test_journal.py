from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from quest22.errors import UsageError
from quest22.protocols import SinkState
from quest22.records import Failure, Origin, Position, Transcript
from quest22.runs.journal import JOURNAL, Journal, JournaledSink, Progress, held

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


def test_a_mark_survives_the_process(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path / "out", PLAN)
    mark = Progress().after(transcript("a")).after(failure("b"))
    journal.commit(replace(mark, sinks={"jsonl": {"bytes": 12}}))
    kept = Journal.read(tmp_path / "out")
    assert kept is not None
    kept.check(PLAN)
    assert kept.mark == Progress(1, 1, 2.5, Position(2, "b", ORIGIN), {"jsonl": {"bytes": 12}})


def test_no_journal_is_none(tmp_path: Path) -> None:
    assert Journal.read(tmp_path) is None


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"model": "tiny"}, "model was 'nano' and is 'tiny'"),
        ({"revision": "def"}, "revision was None and is 'def'"),
        ({"stride": (4.0, 4.0)}, r"stride was \[5.0, 5.0\] and is \[4.0, 4.0\]"),
    ],
)
def test_another_plan_is_refused(tmp_path: Path, changed: dict[str, object], named: str) -> None:
    Journal.begin(tmp_path, PLAN)
    kept = Journal.read(tmp_path)
    assert kept is not None
    with pytest.raises(UsageError, match=named):
        kept.check({**PLAN, **changed})


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"quest22_journal": 99}', "null"])
def test_a_foreign_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / JOURNAL).parent.mkdir()
    (tmp_path / JOURNAL).write_text(content)
    with pytest.raises(UsageError, match="no journal of this version"):
        Journal.read(tmp_path)


def test_the_journal_is_one_whole_file_after_every_commit(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path, PLAN)
    for count in range(5):
        journal.commit(Progress(transcripts=count))
        assert json.loads((tmp_path / JOURNAL).read_text())["mark"]["transcripts"] == count
    assert [path.name for path in (tmp_path / JOURNAL).parent.iterdir()] == ["journal.json"]


def test_results_are_published_before_they_are_marked(tmp_path: Path) -> None:
    now = 0.0
    sink, journal = Lines(), Journal.begin(tmp_path, PLAN)
    journaled = JournaledSink(sink, journal, clock=lambda: now)
    journaled.write(transcript("a"))
    assert (sink.published, journal.mark.results) == ([], 0)
    now = 10.0
    journaled.write(failure("b"))
    assert (sink.published, journal.mark.results) == ([2], 2)
    journaled.write(transcript("c"))
    journaled.close()
    assert (sink.published, journal.mark.results, sink.closed) == ([2, 3], 3, False)
    assert not journal.mark.finished


def test_only_completing_finishes(tmp_path: Path) -> None:
    sink, journal = Lines(), Journal.begin(tmp_path, PLAN)
    journaled = JournaledSink(sink, journal)
    journaled.write(transcript("a"))
    journaled.complete()
    journaled.close()
    assert sink.closed
    kept = Journal.read(tmp_path)
    assert kept is not None
    assert kept.mark.finished
    assert kept.mark.results == 1


def test_a_folder_is_held_by_one_run(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(UsageError, match="another process"), held(tmp_path):
        pass
    with held(tmp_path):
        pass
