from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.storable import MAX_DEPTH, one_line, storable, storable_text


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("the child", "the child"),
        ("a\ud83d\ude00b", "a😀b"),
        ("half \ud83d end", "half \ufffd end"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        (b"caf\xe9.wav".decode("utf-8", "surrogateescape"), r"caf\xe9.wav"),
        ("\x00", "\x00"),
    ],
)
def test_text_becomes_valid_unicode(text: str, stored: str) -> None:
    assert storable_text(text) == stored


def test_messages_are_one_line() -> None:
    assert one_line("no such file: a\n\x00\u2028\udce9 b") == r"no such file: a\n\x00\u2028\xe9 b"


def _nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (1, 1),
        (True, True),
        (None, None),
        (1.5, 1.5),
        (b"\xff", b"\xff"),
        (bytearray(b"a"), b"a"),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        (-(2**63) - 1, "-9223372036854775809"),
        ({}, None),
        ({"a": {}, "b": [{}]}, {"a": None, "b": [None]}),
        (dict.fromkeys(["\ud800", "\ud801", 3], 1), {"\ufffd": 1, "\ufffd_2": 1, "3": 1}),
        (np.arange(3), [0, 1, 2]),
        (np.float32(0.5), 0.5),
        ((1, (2,)), [1, [2]]),
        (Decimal("1.50"), Decimal("1.50")),
        (Decimal("1e100"), "1E+100"),
        (Decimal("nan"), "NaN"),
        (print, None),
        (_nested(MAX_DEPTH), _nested(MAX_DEPTH)),
    ],
)
def test_values_become_storable(value: Any, stored: Any) -> None:
    assert storable(value) == stored


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 100_000])
def test_deep_values_end_as_text(depth: int) -> None:
    value = storable(_nested(depth))
    for _ in range(MAX_DEPTH):
        (value,) = value
    assert isinstance(value, str)
    assert value in {json.dumps(_nested(depth - MAX_DEPTH)) if depth < 900 else "…", "…"}


def test_a_number_of_thousands_of_digits_is_text() -> None:
    assert storable(10**5000) == hex(10**5000)


FOREIGN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(FOREIGN)
def test_what_is_storable_can_be_written_in_both_formats(value: Any) -> None:
    stored = storable(value)
    line = json.dumps({"column": stored}, ensure_ascii=False, allow_nan=False).encode()
    assert json.loads(line)["column"] == stored
    try:
        array = pa.array([stored])
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # values of two kinds: written as text
        return
    pq.write_table(pa.table({"column": array}), io.BytesIO())
