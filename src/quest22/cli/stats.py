"""A run's figures as JSON, for machines to read: ``--stats-json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quest22.cli.exits import Exit
from quest22.metrics import Metrics
from quest22.runs.figures import ENGINE_THREAD, OTHER_THREADS, Figures
from quest22.runs.summary import RunStats
from quest22.sink.files import write_text_atomically


def write_stats(path: Path, metrics: Metrics, run: RunStats, code: Exit) -> None:
    """Write the figures of a run to a file; raises :class:`quest22.errors.SinkError`."""
    text = json.dumps(stats(metrics, run, code), ensure_ascii=False, indent=2)
    write_text_atomically(path, text + "\n")


def stats(metrics: Metrics, run: RunStats, code: Exit) -> dict[str, Any]:
    """Counts, seconds and bytes of this process.

    ``engine_seconds`` add up to the elapsed time: the engine waited for the network, for the source
    to read and unpack data, for audio to be decoded, or for nothing.
    """
    figures = Figures.of(metrics)
    seconds = {name: figures.seconds.get(name, 0.0) for name in (*ENGINE_THREAD, *OTHER_THREADS)}
    return {
        "exit_code": int(code),
        "clips": run.transcripts,
        "failures": run.failures,
        "open_ends": run.open_ends,
        "audio_hours": round(figures.audio_s / 3600, 6),
        "heard_hours": round(figures.processed_s / 3600, 6),
        "elapsed_s": round(figures.elapsed_s, 3),
        "real_time_factor": figures.real_time_factor and round(figures.real_time_factor, 6),
        "received_bytes": int(figures.received_bytes),
        "sound_bytes": int(figures.sound_bytes),
        "retries": [
            {"host": host, "trouble": trouble, "times": times}
            for (host, trouble), times in sorted(figures.retries.items())
        ],
        "engine_seconds": {
            "waiting_for_network": round(seconds["wait_network"], 3),
            "waiting_for_source": round(seconds["wait_source"], 3),
            "waiting_for_decoding": round(seconds["wait_audio"], 3),
            "waiting_for_nothing": round(figures.unhindered_s, 3),
        },
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "left_out_s": {name: round(value, 3) for name, value in run.left_out.seconds.items()},
        "clips_without_text": run.left_out.without_text,
        "damaged_clips": run.left_out.damaged,
        "missing_s": round(run.left_out.missing_s, 3),
        "failures_by_reason": dict(run.reasons.most_common()),
    }
