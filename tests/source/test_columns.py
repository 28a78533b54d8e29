from __future__ import annotations

from typing import Any

import pytest
from datasets import Audio, Features, Value

from quest22.errors import SourceError
from quest22.settings import DatasetSettings
from quest22.source.columns import Columns, choose_columns, kinds_of_features, kinds_of_values

STRING = Value("string")


def _chosen(features: dict[str, Any], **named: Any) -> Columns:
    return choose_columns(kinds_of_features(Features(features)), DatasetSettings("d", **named))


@pytest.mark.parametrize(
    ("features", "columns"),
    [
        # the shapes of well-known datasets
        ({"file": STRING, "audio": Audio(), "text": STRING, "speaker_id": Value("int64"),
          "chapter_id": Value("int64"), "id": STRING}, Columns("audio", "text", "id")),
        ({"client_id": STRING, "path": STRING, "audio": Audio(), "sentence": STRING},
         Columns("audio", "sentence")),
        ({"id": Value("int32"), "num_samples": Value("int32"), "path": STRING, "audio": Audio(),
          "transcription": STRING, "raw_transcription": STRING},
         Columns("audio", "transcription", "id")),
        ({"segment_id": STRING, "speaker": STRING, "text": STRING, "audio": Audio(),
          "audio_id": STRING}, Columns("audio", "text", "segment_id")),
        ({"audio_id": STRING, "audio": Audio(), "raw_text": STRING, "normalized_text": STRING},
         Columns("audio", "normalized_text", "audio_id")),
        ({"wav": Audio(), "txt": STRING, "__key__": STRING, "__url__": STRING},
         Columns("wav", "txt", "__key__")),
        ({"m4a": Value("binary"), "json": {"text": STRING}, "__key__": STRING},
         Columns("m4a", "json.text", "__key__")),
        ({"Audio": Audio(), "Text": STRING}, Columns("Audio", "Text")),
        ({"clean": Audio(), "audio": Audio()}, Columns("audio")),
        ({"audio": {"bytes": Value("binary"), "path": STRING}, "key": STRING},
         Columns("audio", None, "key")),
        ({"speech": Audio(), "text": Value("int64")}, Columns("speech")),
    ],
)  # fmt: skip
def test_columns_are_found(features: dict[str, Any], columns: Columns) -> None:
    assert _chosen(features) == columns


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"audio_filepath": "a.wav", "duration": 1.0, "text": "x"},
         Columns("audio_filepath", "text", duration="duration")),
        ({"audio_filepath": "a.wav", "offset": 1, "duration": 1.0},
         Columns("audio_filepath", offset="offset", duration="duration")),
        ({"file": "a.wav", "duration": 1.0}, Columns("file")),
        ({"file": "a.wav", "offset": "", "duration": "1"},
         Columns("file", offset="offset", duration="duration")),
        ({"audio": [0, 1], "sampling_rate": 8000},
         Columns("audio", sampling_rate="sampling_rate")),
        ({"path": "a.wav", "sentence": "x", "id": 3}, Columns("path", "sentence", "id")),
        ({"audio": {"bytes": b"x", "path": None}, "text": None}, Columns("audio", "text")),
        ({"audio": {"array": [0.0], "sampling_rate": 8000}}, Columns("audio")),
        ({"a": {"path": "x"}, "file": "a.wav"}, Columns("file")),
    ],
)  # fmt: skip
def test_columns_are_found_by_a_row(row: dict[str, Any], columns: Columns) -> None:
    assert choose_columns(kinds_of_values(row), DatasetSettings("d")) == columns


def test_named_columns_win() -> None:
    features = {"a": Audio(), "audio": Audio(), "text": STRING, "b": STRING, "c": STRING}
    named = _chosen(
        features, audio_column="a", text_column="b", id_column="c", keep_columns=("text", "b")
    )
    fixed = frozenset({"audio", "text", "id"})
    assert named == Columns("a", "b", "c", ("text", "b"), fixed=fixed)
    assert named.needed(features) == ["a", "text", "b", "c"]


def test_a_field_of_a_record_needs_its_record() -> None:
    assert Columns("wav", "json.text", keep=("a.b",)).needed(["json", "wav", "x", "a.b"]) == [
        "json", "wav", "a.b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("features", "named", "message"),
    [
        ({"image": STRING}, {}, r"no column holds audio: .*--audio-column.*are: image"),
        ({"a": Audio(), "b": Audio()}, {}, r"several columns hold audio: .*are: a, b"),
        ({"audio": Audio()}, {"keep_columns": ("x",)}, r"--keep-columns: .*'x'.*are: audio"),
        ({"audio": Audio()}, {"text_column": "x.y"}, r"--text-column: .*'x.y'.*are: audio"),
    ],
)
def test_columns_that_are_not_there(
    features: dict[str, Any], named: dict[str, Any], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        _chosen(features, **named)
