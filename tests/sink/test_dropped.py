"""What was left out of the text is in every output that has room for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quest22.records import DroppedSegment
from quest22.settings import OutputSettings
from quest22.sink.build import open_sinks
from quest22.sink.formats.arrow_table import schema_of, table_of
from quest22.sink.rows import row
from tests.support.results import transcript

DROPPED = (
    DroppedSegment(0.0, 1.25, "no speech"),
    DroppedSegment(2.0, 4.5, "loop", "and and and"),
)
TOLD = [
    {"start": 0.0, "end": 1.25, "reason": "no speech", "text": ""},
    {"start": 2.0, "end": 4.5, "reason": "loop", "text": "and and and"},
]


def _json_lines(path: Path) -> dict:
    return json.loads(path.read_text())


def _parquet(path: Path) -> dict:
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pylist()[0]


@pytest.mark.parametrize("text", [" Hello there.", ""])
@pytest.mark.parametrize(
    ("form", "name", "read"),
    [
        ("json", "talk.json", _json_lines),
        ("jsonl", "transcripts.jsonl", _json_lines),
        ("parquet", "transcripts.parquet", _parquet),
    ],
)
def test_outputs_with_fields_have_it(tmp_path, form, name, read, text):
    segments = {} if text else {"segments": ()}
    sink = open_sinks(OutputSettings((form,), tmp_path))
    sink.write(transcript(text=text, dropped=DROPPED, **segments))
    sink.close()
    assert read(tmp_path / name)["dropped"] == TOLD


def test_published_rows_have_it():
    """A published file's first rows may have nothing to tell; its column is there all the same."""
    rows = [row(transcript()), row(transcript(dropped=DROPPED))]
    table = table_of(rows, schema_of(rows[:1]))
    assert table.column("dropped").to_pylist() == [None, TOLD]
