from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.accuracy import nonspeech
from benchmarks.accuracy.recordings import read_set


def test_an_hour_is_written_in_pieces_of_two_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonspeech, "PIECE_S", 1)
    nonspeech.write("hum", tmp_path / "hum")
    written = read_set(tmp_path / "hum")
    assert written == nonspeech.recording_set("hum", tmp_path / "hum")
    assert written.parts == ("first", "rest")
    assert [len(written.of(part)) for part in written.parts] == [1, nonspeech.PIECES - 1]
