from __future__ import annotations

import pytest

from quest22.errors import SinkError
from quest22.sink.ledger import Entry, LedgerSink, entries
from quest22.sink.merge import chosen
from tests.support.results import failure, transcript

A, B, C = (Entry(key, "f", row) for row, key in enumerate("abc"))
FAILED_B = Entry("b", "f", 1, failed=True)
FAILED_G = Entry("g", "g", None, failed=True)
G0, G1 = Entry("g0", "g", 0), Entry("g1", "g", 1)


@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [
        ([A, C], [], [A, C]),
        ([A, FAILED_B, C], [B], [A, B, C]),
        ([A, FAILED_B, C], [FAILED_B], [A, FAILED_B, C]),
        ([FAILED_B, FAILED_G, C], [B, G0, G1], [B, G0, G1, C]),
        ([A, FAILED_B, C], [], [A, FAILED_B, C]),
    ],
)
def test_later_results_stand_in_the_place_of_failures(first, later, expected):
    assert [entry for _, entry in chosen(iter(first), iter(later))] == expected


def test_a_later_result_of_no_failure_is_refused():
    with pytest.raises(SinkError, match="no failure of the run"):
        list(chosen(iter([A, FAILED_B]), iter([C])))


def test_a_ledger_keeps_order_places_and_failures(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = LedgerSink(path)
    ledger.write(transcript("a"))
    ledger.write(failure("b"))
    published = ledger.publish()
    ledger.write(transcript("c"))
    ledger.close()
    place = ("data/a.parquet", 7)
    expected = [Entry("a", *place), Entry("b", *place, failed=True)]
    assert list(entries(path, published)) == expected
    again = LedgerSink(path, published)
    again.write(transcript("d"))
    assert list(entries(path, again.publish())) == [*expected, Entry("d", *place)]
    again.close()


def test_no_ledger_has_no_entries(tmp_path):
    assert list(entries(tmp_path / "none", None)) == []
