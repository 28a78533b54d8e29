import json
from pathlib import Path

import pytest

from quest22.records import Damage
from quest22.settings import OutputSettings
from quest22.sink.build import open_sinks
from quest22.sink.rows import row
from tests.support.results import transcript

DAMAGE = (Damage(1.0, 1.5004, "a hole"), Damage(9.0, 20.0, "the file ends early"))
TOLD = [
    {"start": 1.0, "end": 1.5, "reason": "a hole"},
    {"start": 9.0, "end": 20.0, "reason": "the file ends early"},
]


@pytest.mark.parametrize(("form", "name"), [("jsonl", "transcripts.jsonl"), ("json", "a.json")])
def test_damage_is_written_where_there_is_any(form: str, name: str, tmp_path: Path) -> None:
    sink = open_sinks(OutputSettings((form,), tmp_path))
    sink.write(transcript("a", damage=DAMAGE))
    sink.close()
    assert json.loads((tmp_path / name).read_text())["damage"] == TOLD
    assert "damage" not in row(transcript("b"))


def test_damage_is_a_column_of_parquet(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    sink = open_sinks(OutputSettings(("parquet",), tmp_path))
    sink.write(transcript("a"))
    sink.write(transcript("b", damage=DAMAGE))
    sink.close()
    table = pq.read_table(tmp_path / "transcripts.parquet")
    assert table.column("damage").to_pylist() == [None, TOLD]
