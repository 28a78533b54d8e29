from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import nonspeech
from benchmarks.accuracy.recordings import read_set
from quest22.records import SAMPLE_RATE_HZ


@pytest.mark.parametrize("name", nonspeech.RECIPES)
def test_the_same_seed_gives_the_same_sound(name: str) -> None:
    one, same, other = (nonspeech.make(name, 20, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert len(one) == 20 * SAMPLE_RATE_HZ
    assert np.abs(one).max() <= 1


def test_an_hour_is_written_in_pieces_of_two_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonspeech, "PIECE_S", 1)
    nonspeech.write("hum", tmp_path / "hum")
    written = read_set(tmp_path / "hum")
    assert written == nonspeech.recording_set("hum", tmp_path / "hum")
    assert written.parts == ("first", "rest")
    assert [len(written.of(part)) for part in written.parts] == [1, nonspeech.PIECES - 1]
