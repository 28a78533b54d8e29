"""What a dataset says of itself, and what is believed of it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from quest22.cluster.hub.files import UnitsFile
from quest22.cluster.hub.record import HubRecord, PublishedFile
from quest22.sink.run_counts import RunCounts

COUNTS = RunCounts(3, 1, 12.5)
FILE = UnitsFile(2, ((4, 0), (5, 1)), True)
PUBLISHED = PublishedFile(FILE.key, 2, 100, "ab", COUNTS)
SCHEMA = pa.schema([("id", pa.string())])
RECORD = HubRecord("run", 9, 1, True, {2: PUBLISHED, 3: PUBLISHED}, SCHEMA, {"license": "mit"})


def test_it_is_read_as_it_was_written() -> None:
    stored = json.loads(json.dumps(RECORD.to_json()))
    assert HubRecord.from_json(stored) == RECORD
    assert (stored["transcripts"], stored["failures"], stored["audio_seconds"]) == (6, 2, 25.0)
    assert stored["cluster"]["published_units"] == 4


def test_it_holds_what_has_the_same_key() -> None:
    assert RECORD.holds(FILE)
    assert not RECORD.holds(UnitsFile(2, ((4, 0), (5, 2)), True))
    assert not RECORD.holds(UnitsFile(1, FILE.units, True))


@pytest.mark.parametrize(
    ("entry", "kept"),
    [
        (None, False),
        (SimpleNamespace(size=100, lfs=SimpleNamespace(sha256="ab")), True),
        (SimpleNamespace(size=100, lfs=SimpleNamespace(sha256="cd")), False),
        (SimpleNamespace(size=99, lfs=SimpleNamespace(sha256="ab")), False),
        (SimpleNamespace(size=100, lfs=None), True),
    ],
)
def test_files_that_the_repository_lacks_are_not_believed(entry: Any, kept: bool) -> None:
    tree: dict[str, Any] = {} if entry is None else {"data/2": entry}
    checked = RECORD.checked(lambda index: f"data/{index}", tree)
    assert (2 in checked.files, 3 in checked.files) == (kept, False)
