from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from quest22.bench.clips import synthetic_clips, write_samples
from quest22.bench.workload import Workload
from quest22.records import WINDOW_SAMPLES


def test_a_workload_survives_the_pipe(workload: Workload) -> None:
    asked = replace(workload, kind="stream", urls=("http://127.0.0.1/a",), batch_size=3)
    assert Workload.from_json(asked.to_json()) == asked


def test_clips_come_apart_as_they_were_put_together(workload: Workload) -> None:
    made, clips = synthetic_clips(3, 2.0), workload.clips()
    for clip, found in zip(made, clips, strict=True):
        assert np.array_equal(clip, found)
    assert clips[0].base is clips[1].base  # the sound is held once
    assert not np.array_equal(made[0], made[1])
    assert workload.audio_s == 6.0


def test_a_single_one_is_a_window_at_most(tmp_path: Path) -> None:
    long = synthetic_clips(1, 70.0)
    write_samples(tmp_path / "long.npy", long)
    work = Workload("m", str(tmp_path / "long.npy"), (len(long[0]),), str(tmp_path))
    assert [len(window) for window in work.windows()] == [WINDOW_SAMPLES, WINDOW_SAMPLES, 160_000]
    single = replace(work, kind="single")
    assert [len(clip) for clip in single.clips()] == [WINDOW_SAMPLES]
    assert single.audio_s == 30.0
