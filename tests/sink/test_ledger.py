from __future__ import annotations

from quest22.sink.ledger import Entry, LedgerSink, entries
from tests.support.results import failure, transcript


def test_a_ledger_records_order_rows_and_failures(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = LedgerSink(path)
    ledger.write(transcript("a"))
    ledger.write(failure("b"))
    published = ledger.publish()
    ledger.write(transcript("c"))
    ledger.close()
    location = ("data/a.parquet", 7)
    expected = [Entry("a", *location), Entry("b", *location, failed=True)]
    assert list(entries(path, published)) == expected
    again = LedgerSink(path, published)
    again.write(transcript("d"))
    assert list(entries(path, again.publish())) == [*expected, Entry("d", *location)]
    again.close()


def test_no_ledger_has_no_entries(tmp_path):
    assert list(entries(tmp_path / "none", None)) == []
