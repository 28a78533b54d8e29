"""Units are joined to files by their numbers, and a file's key follows from what is in it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from quest22.cluster.hub import files as hub_files
from quest22.cluster.hub.files import FileBuilder, UnitsFile, units_files
from quest22.cluster.hub.progress import Progress, is_over, progress_of
from quest22.cluster.retry_round import begin_round
from quest22.errors import SinkError
from tests.support.cluster_corpus import Corpus, failed_row, row


@pytest.mark.parametrize(
    ("units", "size"), [(1, 50), (500_000, 50), (500_001, 500), (9_999_999, 5000)]
)
def test_how_many_units_make_a_file(units: int, size: int) -> None:
    class Plan:
        pass

    plan = Plan()
    plan.units = range(units)  # type: ignore[attr-defined]
    last = units - 1
    (file,) = units_files(plan, Progress({last: 0}))  # type: ignore[arg-type]
    assert file.index == last // size


def test_a_file_is_whole_when_nothing_is_to_be_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_files, "FILE_UNITS", (2,))
    corpus = Corpus(tmp_path, 6)
    for unit in (0, 1, 2, 4):
        corpus.publish(unit)
    corpus.fail(5)
    progress = progress_of(corpus.plan, corpus.store)
    assert (progress.pending, progress.failed, progress.transcripts) == ({3}, 1, 8)
    files = list(units_files(corpus.plan, progress))
    assert [(file.index, len(file.units), file.whole) for file in files] == [
        (0, 2, True),
        (1, 1, False),
        (2, 1, True),
    ]
    assert len({file.key for file in files}) == 3


def test_a_later_round_changes_the_keys_of_what_it_replaces(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, 3)
    for unit in (0, 1):
        corpus.publish(unit)
    corpus.fail(2)
    (before,) = units_files(corpus.plan, progress_of(corpus.plan, corpus.store))
    again = begin_round(corpus.store, 1, [1, 2])
    progress = progress_of(corpus.plan, corpus.store)
    assert (progress.pending, progress.round) == ({1, 2}, 1)
    assert not is_over(corpus.plan, corpus.store)
    corpus.publish(1, each=again)
    corpus.publish(2, each=again)
    corpus.close(again)
    progress = progress_of(corpus.plan, corpus.store)
    (after,) = units_files(corpus.plan, progress)
    assert after.units == ((0, 0), (1, 1), (2, 1))
    assert after.key != before.key
    assert (set(progress.pending), progress.failed) == (set(), 0)
    assert is_over(corpus.plan, corpus.store)


def test_rows_of_all_units_in_order_with_types_that_hold_all(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, 4)
    corpus.publish(0, failed_row(0, 0))
    corpus.publish(1, row(1, 0, score=1), row(1, 1, score=2))
    corpus.publish(2, row(2, 0, score=0.5), failed_row(2, 1))
    corpus.publish(3, row(3, 0, score="good"))
    builder = FileBuilder(corpus.plan, corpus.store, tmp_path, None)
    first = builder.build(UnitsFile(0, ((0, 0), (1, 0), (2, 0)), True))
    second = builder.build(UnitsFile(1, ((3, 0),), True))
    rows = pq.read_table(first.path).to_pylist()
    assert [values["id"] for values in rows] == ["0-0", "1-0", "1-1", "2-0", "2-1"]
    assert [values["score"] for values in rows] == [None, 1.0, 2.0, 0.5, None]
    assert [values["error"] is None for values in rows] == [False, True, True, True, False]
    assert (first.counts.transcripts, first.counts.failures) == (3, 2)
    assert pq.read_table(second.path).to_pylist()[0]["score"] == "good"
    assert {path.name for path in tmp_path.glob("0*")} == {"00000.parquet", "00001.parquet"}
    assert not list(tmp_path.glob("unit-*"))


def test_a_published_unit_that_is_gone(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, 1)
    with pytest.raises(SinkError, match=r"part-0000000.jsonl is gone"):
        FileBuilder(corpus.plan, corpus.store, tmp_path, None).build(UnitsFile(0, ((0, 0),), True))
