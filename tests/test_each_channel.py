"""Calls with a speaker on each channel, from file to transcript."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

import quest22
from quest22.runs.events import ResultReady, RunEvent
from tests.support.recordings import NANO_IS_HERE, recordings
from tests.torture.kills import differences, outputs

pytestmark = pytest.mark.skipif(
    not NANO_IS_HERE, reason="no embedded checkpoint or no sample recordings"
)


@pytest.fixture(scope="module")
def transcriber() -> quest22.Transcriber:
    return quest22.Transcriber(
        "nano", compute_type="float32", timestamps=True, channel="each", batch_size=3
    )


def call(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two recordings, ``[samples, 2]``; the right one begins a second later."""
    sound = np.zeros((max(len(left), len(right) + 16_000), 2), np.float32)
    sound[: len(left), 0] = left
    sound[16_000 : 16_000 + len(right), 1] = right
    return sound


def test_both_speakers_of_a_call_are_heard(transcriber: quest22.Transcriber) -> None:
    left, right = recordings("en", 1)[0], recordings("ru", 1)[0]
    alone = [transcriber.transcribe(each) for each in (left, right)]
    both = transcriber.transcribe((call(left, right), 16_000))
    assert [each.channel for each in both.segments] == [0, 1]
    assert [each.text.strip() for each in both.segments] == [each.text for each in alone]
    assert both.text == " ".join(each.text for each in alone)
    for segment, mono, later_s in zip(both.segments, alone, (0.0, 1.0), strict=True):
        assert mono.segments[0].channel is None
        assert segment.start_s == pytest.approx(mono.segments[0].start_s + later_s, abs=0.1)
        assert segment.language == mono.language
    assert both.segments[1].start_s < both.segments[0].end_s


class Interrupting:
    """Ends a run as Ctrl-C does, at its so-many-th result."""

    def __init__(self, at: int) -> None:
        self._left = at

    def __call__(self, event: RunEvent) -> None:
        self._left -= isinstance(event, ResultReady)
        if not self._left:
            raise KeyboardInterrupt


def test_an_interrupted_run_ends_as_an_undisturbed_one(
    transcriber: quest22.Transcriber, tmp_path: Path
) -> None:
    heard = recordings("en", 8)
    rows = []
    for number in range(4):
        file = io.BytesIO()
        sound = call(heard[2 * number], heard[2 * number + 1])
        soundfile.write(file, sound if number != 2 else sound[:, 0], 16_000, format="WAV")
        rows.append({"id": str(number), "audio": {"bytes": file.getvalue(), "path": None}})
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "calls.parquet")

    def run(folder: Path, on_event=lambda _: None) -> None:
        transcriber.stream_to(
            folder,
            "parquet",
            data_files=str(tmp_path / "calls.parquet"),
            formats="jsonl,srt,json,txt",
            on_event=on_event,
        )

    run(tmp_path / "whole")
    for at in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "again", Interrupting(at))
    run(tmp_path / "again")
    assert differences(outputs(tmp_path / "whole"), outputs(tmp_path / "again")) == []
    lines = (tmp_path / "whole" / "transcripts.jsonl").read_text("utf-8").splitlines()
    channels = [[each.get("channel") for each in json.loads(line)["segments"]] for line in lines]
    assert [set(each) for each in channels] == [{0, 1}, {0, 1}, {None}, {0, 1}]
