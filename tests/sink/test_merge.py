from __future__ import annotations

import pytest

from quest22.errors import SinkError
from quest22.sink.ledger import Entry
from quest22.sink.merge import merge_entries

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
    assert [entry for _, entry in merge_entries(iter(first), iter(later))] == expected


def test_a_later_result_of_no_failure_is_refused():
    with pytest.raises(SinkError, match="did not fail in the run"):
        list(merge_entries(iter([A, FAILED_B]), iter([C])))
