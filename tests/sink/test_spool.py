"""What goes into a spool comes out of it, wherever a process was cut off."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import SinkError
from quest22.sink.file_state import FileState
from quest22.sink.files import AppendedFile
from quest22.sink.spool import Spool

NAMES = st.text(max_size=5) | st.sampled_from(["$bytes", "$mapping", "$date"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.datetimes(timezones=st.just(timezone.utc))
    | st.timedeltas()
    | st.decimals(allow_nan=False)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=6)


@given(rows=ROWS, published=st.integers(0, 6))
def test_rows_come_back_with_their_types_and_none_beyond_what_was_published(rows, published):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        first = Spool(path)
        for row in rows[:published]:
            first.append(row)
        state = FileState.of(first.publish())
        for row in rows[published:]:
            first.append(row)
        again = Spool(path, state)  # the first process died here
        assert list(again.rows()) == rows[:published]
        for row in rows[published:]:
            again.append(row)
        assert list(again.rows()) == rows
        assert list(Spool.read(path, state.size)) == rows[:published]
        first.close()
        again.remove()
        assert not path.exists()


def test_what_is_no_number_stays_none(tmp_path):
    spool = Spool(tmp_path / "rows.jsonl")
    spool.append({"a": math.nan, "b": math.inf})
    (row,) = spool.rows()
    assert math.isnan(row["a"])
    assert row["b"] == math.inf
    spool.close()


@given(lines=st.lists(st.text(max_size=9).map(lambda text: text + "\n")), cut=st.integers(0, 9))
def test_a_continued_file_is_the_uninterrupted_one(lines, cut):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.jsonl"
        first = AppendedFile(path)
        for line in lines[:cut]:
            first.write(line)
        state = FileState.of(first.publish())
        first.write("beyond the mark\n")
        first.close()
        again = AppendedFile(path, state)
        for line in lines[cut:]:
            again.write(line)
        again.close()
        assert path.read_bytes() == "".join(lines).encode()


@pytest.mark.parametrize("held", [None, b"", b"123"])
def test_a_file_that_lost_what_was_published_is_refused(tmp_path, held):
    path = tmp_path / "t.jsonl"
    if held is not None:
        path.write_bytes(held)
    with pytest.raises(SinkError, match=r"had written 4: restore the file.*--restart"):
        AppendedFile(path, 4).publish()


def test_types_of_columns(tmp_path):
    values = {
        "when": datetime(2026, 1, 2, 3, 4, 5, 6),
        "day": date(2026, 1, 2),
        "hour": time(1, 2),
        "length": timedelta(days=-1, microseconds=5),
        "price": Decimal("1.50"),
    }
    spool = Spool(tmp_path / "rows.jsonl")
    spool.append(values)
    assert list(spool.rows()) == [values]
    spool.close()
