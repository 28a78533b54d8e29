"""Transcripts as Arrow tables and data frames: what Parquet files of runs hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import quest22
from quest22.records import Origin, Segment, Transcript
from quest22.sink.formats.parquet import write_parquet
from quest22.sink.rows import row

ONE = Transcript(
    "a.wav",
    "a.wav",
    "Hello there.",
    "en",
    0.75,
    2.0,
    (Segment(0.5, 1.5, " Hello there."),),
    Origin("a.wav"),
)
TWO = replace(ONE, key="b", columns={"speaker": "Ann", "age": 40})
THREE = replace(ONE, key="c", text="", segments=(), columns={"speaker": "Bob", "age": None})


@pytest.mark.parametrize("transcripts", [[], [ONE], [ONE, TWO], [ONE, TWO, THREE]])
def test_a_table_holds_what_a_parquet_file_holds(
    transcripts: list[Transcript], tmp_path: Path
) -> None:
    write_parquet(tmp_path / "t.parquet", map(row, transcripts))
    assert quest22.to_arrow(iter(transcripts)).equals(pq.read_table(tmp_path / "t.parquet"))


def test_what_is_no_transcript_is_refused() -> None:
    with pytest.raises(quest22.UsageError, match="one of the transcripts is 'a"):
        quest22.to_pandas([ONE, "a.wav"])  # type: ignore[list-item]


def test_one_transcript_is_one_row() -> None:
    assert quest22.to_arrow(ONE).column("text").to_pylist() == ["Hello there."]


def test_a_data_frame() -> None:
    frame = quest22.to_pandas([ONE, TWO])
    assert frame["text"].tolist() == ["Hello there."] * 2
    assert frame["duration"].sum() == 4.0
    assert frame["speaker"].isna().tolist() == [True, False]
    assert frame["segments"][0][0]["text"] == " Hello there."


def test_values_of_several_kinds_are_text() -> None:
    mixed = [replace(ONE, columns={"note": 1}), replace(ONE, columns={"note": "x"})]
    assert quest22.to_arrow(mixed).column("note").to_pylist() == ["1", "x"]
