from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from quest22.bench.clips import read_clips, synthetic_clips, write_parquet
from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ


def test_synthetic_clips_differ_and_are_repeatable() -> None:
    first, second = synthetic_clips(2, 0.5)
    assert first.dtype == np.float32
    assert len(first) == len(second) == SAMPLE_RATE_HZ // 2
    assert not np.array_equal(first, second)
    assert np.array_equal(first, synthetic_clips(1, 0.5)[0])
    assert np.abs(first).max() <= 1


def test_files_are_read_up_to_the_limit_and_others_skipped(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, synthetic_clips(1, 1.0)[0], SAMPLE_RATE_HZ)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    names = ("broken.wav", "a.wav", "b.wav")
    clips = read_clips([str(tmp_path / name) for name in names], 1.5)
    assert [len(clip) for clip in clips] == [SAMPLE_RATE_HZ, SAMPLE_RATE_HZ // 2]


def test_no_audio_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match=r"no audio in .*broken\.wav"):
        read_clips([str(tmp_path / "broken.wav")], 1.0)


def test_parquet_holds_flac_clips(tmp_path: Path) -> None:
    import io

    import pyarrow.parquet as pq

    clips = synthetic_clips(2, 0.25)
    write_parquet(tmp_path / "clips.parquet", clips)
    rows = pq.read_table(tmp_path / "clips.parquet").to_pylist()
    assert [row["id"] for row in rows] == ["0", "1"]
    for row, clip in zip(rows, clips, strict=True):
        samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
        assert rate == SAMPLE_RATE_HZ
        np.testing.assert_allclose(samples, clip, atol=1 / 32768)
