"""Whatever a dataset's columns hold, the outputs are finished and can be read."""

from __future__ import annotations

import json
from io import BytesIO, StringIO

import pandas as pd
import pyarrow.json
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quest22.sink.files import AppendedFile
from quest22.sink.formats import parquet
from quest22.sink.formats.jsonl import JsonLinesSink
from quest22.sink.formats.parquet import ParquetSink, read_parquet
from tests.support.results import transcript

TEXTS = st.text(st.characters(exclude_categories=()), max_size=5)
LEAVES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.binary(max_size=4)),
    *(st.datetimes(), st.datetimes(timezones=st.timezones()), st.dates(), st.times()),
    *(st.timedeltas(), st.decimals(), st.just({}), st.just([])),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(TEXTS | st.just("a"), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(["a", "text", "id", "source_id", "a_json", "\udcff", "\\xff"]) | TEXTS


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=6))
def test_any_columns(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "GROUP_ROWS", 2)
        table = ParquetSink(folder / "t.parquet", folder / "rows")
        lines = JsonLinesSink(AppendedFile(folder / "t.jsonl"))
        for number, columns in enumerate(rows):
            table.write(transcript(f"{number}", columns=columns))
            lines.write(transcript(f"{number}", columns=columns))
        table.close()
        lines.close()
    content = (folder / "t.jsonl").read_bytes()
    for line in content.splitlines():
        json.loads(line, parse_constant=pytest.fail)
    assert [row["id"] for row in read_parquet(folder / "t.parquet")] == [
        str(number) for number in range(len(rows))
    ]
    assert pyarrow.json.read_json(BytesIO(content)).num_rows == len(rows)
    assert len(pd.read_json(StringIO(content.decode()), lines=True)) == len(rows)
