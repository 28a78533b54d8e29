from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.recordings import (
    MANIFEST,
    RecordingSet,
    decoded,
    is_made,
    read_set,
    read_sets,
)
from quest22.errors import UsageError
from tests.benchmarks.accuracy.conftest import WriteSet, recording


def write_manifest(folder: Path, *rows: dict[str, object]) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [json.dumps(row) for row in rows]
    (folder / MANIFEST).write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_rows_belong_to_halves_in_turn_unless_they_name_a_part(tmp_path: Path) -> None:
    row = {"file": "a.wav", "text": "a", "duration_s": 2.0}
    found = read_set(write_manifest(tmp_path, row, row, row | {"part": "odd"}))
    assert [each.part for each in found.recordings] == ["even", "odd", "odd"]
    assert found.parts == ("even", "odd")


@pytest.mark.parametrize(
    ("given", "code"), [("en", "en"), ("de_DE", "de"), ("Russian", "ru"), (None, None)]
)
def test_languages_are_whispers_codes(tmp_path: Path, given: str | None, code: str | None) -> None:
    row = {"file": "a.wav", "text": "a", "duration_s": 2.0, "language": given}
    (found,) = read_set(write_manifest(tmp_path, row)).recordings
    assert found.language == code


def test_a_row_without_a_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"manifest.jsonl, line 2: expected text in it"):
        read_set(
            write_manifest(tmp_path, {"file": "a", "text": "", "duration_s": 1}, {"file": "b"})
        )


def test_a_folder_without_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="QUEST22_SPEECH"):
        read_sets(tmp_path)


def test_a_duration_that_is_not_given_is_measured(tmp_path: Path, write_tones: WriteSet) -> None:
    written = write_tones("tones", ["a"])
    folder = write_manifest(tmp_path / "tones", {"file": written.recordings[0].name, "text": "a"})
    assert read_set(folder).recordings[0].duration_s == 1.0


def test_a_set_that_is_written_is_read_again(tmp_path: Path, write_tones: WriteSet) -> None:
    written = write_tones("tones", ["eins", "zwei", "drei"], "de")
    (found,) = read_sets(tmp_path)
    assert found == written
    samples = decoded(found.recordings[0].path)
    assert samples.dtype == np.float32
    assert len(samples) == 16_000
    assert is_made(tmp_path / "tones", "tones")
    assert not is_made(tmp_path / "tones", "other")


def test_an_english_model_hears_english_and_what_has_no_language() -> None:
    texts = [recording("a"), recording("b", language="ru"), recording("c", language=None)]
    found = RecordingSet("mixed", tuple(texts))
    assert [each.name for each in found.of("even", "en")] == ["a", "c"]
    assert len(found.of("even")) == 3
    assert found.of("odd") == ()
