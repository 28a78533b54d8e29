"""A run's figures as JSON, for machines to read: ``--stats-json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from typing_extensions import TypedDict

from quest22.cli.exits import Exit
from quest22.cli.schema_ids import SchemaId, schema_id
from quest22.metrics import Metrics
from quest22.runs.figures import ENGINE_THREAD, OTHER_THREADS, Figures
from quest22.runs.summary import RunStats
from quest22.sink.files import write_text_atomically


class RetryCount(TypedDict):
    """How often requests to a host were repeated, and why."""

    host: str
    trouble: str
    times: int


class EngineSeconds(TypedDict):
    """What the engine waited for, in seconds; they add up to the elapsed time."""

    waiting_for_network: float
    waiting_for_source: Annotated[float, "For reading and unpacking data."]
    waiting_for_decoding: Annotated[float, "For audio to be decoded."]
    waiting_for_nothing: Annotated[float, "It ran."]


class RunStatistics(TypedDict):
    """The figures of a process that made a run, or went on with it."""

    schema: SchemaId
    exit_code: Annotated[int, "See the exit codes."]
    clips: Annotated[int, "Clips that were transcribed."]
    failures: Annotated[int, "Clips that could not be transcribed."]
    open_ends: Annotated[int, "Data files that could not be read to their end."]
    audio_hours: Annotated[float, "Hours of sound of the transcripts."]
    heard_hours: Annotated[float, "Hours that went through the engine, also of open clips."]
    elapsed_s: Annotated[float, "Seconds."]
    real_time_factor: Annotated[float | None, "Elapsed time by time of sound; null without any."]
    received_bytes: Annotated[int, "From the network."]
    sound_bytes: Annotated[int, "Of encoded media."]
    retries: list[RetryCount]
    engine_seconds: EngineSeconds
    seconds: Annotated[
        dict[str, float],
        "By part: `encoder`, `decoder` …; `audio` and `source` are of other threads.",
    ]
    left_out_s: Annotated[dict[str, float], "Seconds of sound without text, by reason."]
    clips_without_text: int
    damaged_clips: int
    missing_s: Annotated[float, "Seconds of sound that are missing in damaged clips."]
    failures_by_reason: Annotated[dict[str, int], "Failed clips, by stage and reason."]


def write_stats(path: Path, metrics: Metrics, run: RunStats, code: Exit) -> None:
    """Write the figures of a run to a file; raises :class:`quest22.errors.SinkError`."""
    text = json.dumps(stats(metrics, run, code), ensure_ascii=False, indent=2)
    write_text_atomically(path, text + "\n")


def stats(metrics: Metrics, run: RunStats, code: Exit) -> RunStatistics:
    """Counts, seconds and bytes of this process.

    ``engine_seconds`` add up to the elapsed time: the engine waited for the network, for the source
    to read and unpack data, for audio to be decoded, or for nothing.
    """
    figures = Figures.of(metrics)
    seconds = {name: figures.seconds.get(name, 0.0) for name in (*ENGINE_THREAD, *OTHER_THREADS)}
    return {
        "schema": schema_id("stats"),
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
