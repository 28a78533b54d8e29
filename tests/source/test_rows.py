from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import ClipError
from quest22.records import Clip, Failure, Origin
from quest22.source.audio_cells import media_of
from quest22.source.columns import Columns
from quest22.source.rows import DatasetContext, KeyDeduplicator, Row, RowReader, field_of

SOUND = b"RIFF"


def _read(values: dict[str, Any], *, parts: int = 1, file: str | None = None) -> Clip | Failure:
    reader = RowReader(
        DatasetContext("org/d", "test", parts, revision="abc"), Columns("audio", "text", "id")
    )
    row = Row(2, 17, values, file)
    return reader.read(row, *reader.identify(row))


@pytest.mark.parametrize(
    ("values", "parts", "key"),
    [
        ({"audio": SOUND, "id": "utt-7"}, 1, "utt-7"),
        ({"audio": SOUND, "id": 7}, 1, "7"),
        ({"audio": SOUND, "id": 0}, 1, "0"),
        ({"audio": SOUND, "id": " "}, 1, "test-000017"),
        ({"audio": SOUND}, 1, "test-000017"),
        ({"audio": SOUND}, 3, "test-00002-000017"),
        ({"audio": {"bytes": SOUND, "path": "a/7.flac"}}, 1, "a/7.flac"),
        ({"audio": {"bytes": SOUND, "path": None}}, 1, "test-000017"),
        ({"audio": "https://h/d/7.flac?token=x"}, 1, "7.flac"),
    ],
)
def test_keys(values: dict[str, Any], parts: int, key: str) -> None:
    assert _read(values, parts=parts, file="https://h/d/rows.json").key == key


def test_a_clip_says_where_it_is_from() -> None:
    clip = _read({"audio": SOUND, "text": "hello", "id": "x"}, file="https://h/d.parquet?sig=1")
    assert isinstance(clip, Clip)
    assert (clip.media, clip.reference, clip.name) == (SOUND, "hello", "x")
    assert clip.origin == Origin("org/d", "abc", "https://h/d.parquet?…", 17)


@pytest.mark.parametrize(
    "sound",
    [None, b"", "", {"bytes": None, "path": None}, {"bytes": b"", "path": "a.wav"}, 7, [],
     {"array": [], "sampling_rate": 16_000}, {"array": [0.0], "sampling_rate": None}],
)  # fmt: skip
def test_a_row_without_sound_is_a_failure(sound: Any) -> None:
    failure = _read({"audio": sound, "id": "x"})
    assert isinstance(failure, Failure)
    assert (failure.key, failure.stage) == ("x", "source")
    assert "'audio'" in failure.reason


def test_a_missing_file_is_a_failure(tmp_path: Path) -> None:
    failure = _read({"audio": "a.wav"}, file=str(tmp_path / "rows.json"))
    assert isinstance(failure, Failure)
    assert failure.reason == f"no such file: {tmp_path / 'a.wav'}"


def test_samples_become_sound() -> None:
    samples = np.linspace(-1, 1, 160, dtype=np.float32)
    ready = media_of(
        {"array": samples.tolist(), "sampling_rate": 16_000}, "the column 'audio'", None
    )
    assert isinstance(ready, np.ndarray)
    np.testing.assert_array_equal(ready, samples)
    other = media_of(
        {"array": [samples, -samples], "sampling_rate": 8_000}, "the column 'audio'", None
    )
    assert isinstance(other, bytes)
    read, rate_hz = soundfile.read(io.BytesIO(other), dtype="float32")
    assert rate_hz == 8_000
    np.testing.assert_array_equal(read, np.stack([samples, -samples], axis=1))


@pytest.mark.parametrize(
    ("name", "value"),
    [("a", 1), ("b.c", 2), ("b.d.e", 3), ("f.g", 4), ("b.x", None), ("a.x", None), ("x", None)],
)
def test_fields_of_records(name: str, value: Any) -> None:
    assert field_of({"a": 1, "b": {"c": 2, "d": {"e": 3}}, "f.g": 4}, name) == value


@given(st.lists(st.sampled_from("abcdefg"), max_size=60))
def test_repeated_keys_become_unique(names: list[str]) -> None:
    keys = KeyDeduplicator()
    given_out = [keys.unique(name, f"train-{i:06d}") for i, name in enumerate(names)]
    assert len(set(given_out)) == len(names)
    firsts = {name: names.index(name) for name in names}
    assert all(given_out[place] == name for name, place in firsts.items())


def test_keys_that_differ_are_left_alone() -> None:
    keys = KeyDeduplicator()
    assert all(keys.unique(str(n), "place") == str(n) for n in range(50_000))


def test_a_url_of_a_foreign_kind_is_refused() -> None:
    with pytest.raises(ClipError, match="memory://"):
        media_of("memory://a.wav", "the column 'audio'", "https://h")


@pytest.mark.parametrize(
    ("values", "stretch"),
    [
        ({"audio": "a.wav", "offset": 1.5, "duration": 2}, (1.5, 2.0)),
        ({"audio": "a.wav", "offset": "1.5", "duration": "2"}, (1.5, 2.0)),
        ({"audio": {"path": "a.wav", "bytes": None}, "offset": 0, "duration": None}, (0.0, None)),
        ({"audio": "a.wav", "offset": None, "duration": 0}, (0.0, None)),
        ({"audio": "a.wav", "offset": "", "duration": float("nan")}, (0.0, None)),
        ({"audio": "a.wav"}, (0.0, None)),
        ({"audio": SOUND, "offset": 1.5, "duration": 2}, (0.0, None)),  # it is the stretch itself
        ({"audio": {"path": "a.wav", "bytes": SOUND}, "offset": 1.5}, (0.0, None)),
    ],
)
def test_a_row_may_be_a_stretch_of_a_recording(
    tmp_path: Path, values: dict[str, Any], stretch: tuple[float, float | None]
) -> None:
    (tmp_path / "a.wav").write_bytes(SOUND)
    clip = _row_of_manifest(values, tmp_path)
    assert isinstance(clip, Clip)
    assert (clip.offset_s, clip.duration_s) == stretch


@pytest.mark.parametrize("value", ["soon", -1, True, float("inf"), 1e300, [1], {}, 10**400, b"1.5"])
@pytest.mark.parametrize("column", ["offset", "duration"])
def test_a_stretch_that_is_none_is_a_failure(tmp_path: Path, column: str, value: Any) -> None:
    (tmp_path / "a.wav").write_bytes(SOUND)
    failure = _row_of_manifest({"audio": "a.wav", column: value}, tmp_path)
    if value in ({}, b"1.5"):  # nothing, and a number
        assert isinstance(failure, Clip)
        return
    assert isinstance(failure, Failure)
    assert f"the column {column!r} holds" in failure.reason


def _row_of_manifest(values: dict[str, Any], folder: Path) -> Clip | Failure:
    columns = Columns("audio", offset="offset", duration="duration")
    reader = RowReader(DatasetContext("d", "train"), columns)
    row = Row(0, 0, values, str(folder / "manifest.json"))
    return reader.read(row, *reader.identify(row))
