"""Units cover each row of each file once, and are about as long as was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.cluster.units import PlannedFile, Unit, Units, divide
from quest22.source.row_blocks import RowBlock

BLOCKS = st.lists(
    st.builds(RowBlock, st.integers(0, 50), st.floats(0, 5000, allow_nan=False)), max_size=30
)


@given(st.lists(BLOCKS, max_size=5), st.floats(1, 3000))
def test_units_cover_each_row_once(files: list[list[RowBlock]], unit_s: float) -> None:
    planned = [divide(f"{n}", blocks, unit_s) for n, blocks in enumerate(files)]
    units = Units(tuple(planned))
    rows = [(unit.part, row) for unit in units for row in range(unit.start, unit.stop or 0)]
    expected = [
        (part, row)
        for part, blocks in enumerate(files)
        for row in range(sum(block.rows for block in blocks))
    ]
    assert rows == expected
    assert [unit.number for unit in units] == list(range(len(units)))
    assert all(unit.stop is not None and unit.start < unit.stop for unit in units)


@given(st.lists(st.floats(0.1, 30), min_size=1, max_size=200), st.floats(31, 300))
def test_units_of_short_rows_are_about_as_long_as_was_asked(
    rows: list[float], unit_s: float
) -> None:
    file = divide("a", [RowBlock(1, each) for each in rows], unit_s)
    lengths = [
        sum(rows[start:stop])
        for start, stop in zip(file.starts, (*file.starts[1:], file.rows), strict=True)
    ]
    assert all(abs(length - unit_s) <= 15 + 1e-6 for length in lengths[:-1])
    assert lengths[-1] <= unit_s + 15 + 1e-6


def test_a_long_row_group_is_divided_evenly() -> None:
    blocks = [RowBlock(10, 100.0), RowBlock(12, 1000.0), RowBlock(10, 100.0)]
    assert divide("a", blocks, 250.0) == PlannedFile("a", (0, 10, 13, 16, 19, 22), 32)


def test_a_file_that_cannot_be_divided_is_one_unit() -> None:
    units = Units((PlannedFile("a", (0, 5), 9), divide("b.tar", None, 60), PlannedFile("c", (), 0)))
    assert list(units) == [Unit(0, 0, 0, 5), Unit(1, 0, 5, 9), Unit(2, 1, 0, None)]
    with pytest.raises(IndexError):
        units[3]
