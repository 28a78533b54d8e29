"""The server goes away in the middle of a run and comes back: the run outlives it.

    python -m benchmarks.outage --seconds 120

The command itself, with nano, streams speech over HTTP, once in peace and once with the outage; the
transcripts must be the same bytes. Exits with 1 if they are not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from quest22.demo.server import RangeServer

SAMPLES = Path(__file__).parents[1] / "src" / "quest22" / "demo" / "samples"
TURNS = 4
POLL_S = 0.2


def write_speech(folder: Path, turns: int) -> int:
    """The embedded samples again and again, a file a turn; the number of rows."""
    tables = [pq.read_table(path) for path in sorted(SAMPLES.glob("*.parquet"))]
    samples = pa.concat_tables(tables)
    for turn in range(turns):
        name = samples.schema.names.index("id")
        ids = pa.array([f"{turn}-{each}" for each in samples["id"].to_pylist()])
        pq.write_table(
            samples.set_column(name, "id", ids), folder / f"{turn:02}.parquet", row_group_size=8
        )
    return turns * len(samples)


def begin(url: str, turns: int, out: Path) -> subprocess.Popen[bytes]:
    """Start the command; a small memory keeps it from fetching all before the outage."""
    files = [f"--data-files={url}/{turn:02}.parquet" for turn in range(turns)]
    command = [sys.executable, "-m", "quest22", "stream", "parquet", "-m", "nano", *files]
    more = ["--memory", "64M", "--compute-type", "float32", "--batch-size", "4"]
    stats = ["--stats-json", str(out.with_suffix(".json"))]
    return subprocess.Popen([*command, "-o", str(out), *more, *stats])  # noqa: S603 -- all of it is made here


def run_through(folder: Path, port: int, out: Path, away_s: float) -> dict[str, Any]:
    """One run; ``away_s`` is how long nobody answers, from its first transcripts on."""
    with RangeServer(folder, port) as server:
        process = begin(server.url, TURNS, out)
        while process.poll() is None and not _has_begun(out):
            time.sleep(POLL_S)
        if not away_s:
            process.wait()
    if away_s:
        time.sleep(away_s)
        with RangeServer(folder, port):
            process.wait()
    if process.returncode:
        sys.exit(f"the run ended with {process.returncode}")
    told: dict[str, Any] = json.loads(out.with_suffix(".json").read_text())
    return told


def _has_begun(out: Path) -> bool:
    written = out / "transcripts.jsonl"
    return written.exists() and written.stat().st_size > 0


def main() -> int:
    """Run in peace, run through an outage, compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outage")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long nobody answers")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quest22-outage-") as name:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        rows = write_speech(data, TURNS)
        with RangeServer(data) as server:
            port = server.port
        peaceful = run_through(data, port, folder / "peace", 0.0)
        disturbed = run_through(data, port, folder / "outage", given.seconds)
        same = _transcripts(folder / "peace") == _transcripts(folder / "outage")
    print(
        f"\n{'':12}{'clips':>7}{'elapsed s':>11}{'network s':>11}{'received MB':>13}  asked again"
    )
    for label, told in (("in peace", peaceful), ("outage", disturbed)):
        waited = told["engine_seconds"]["waiting_for_network"]
        again = ", ".join(f"{each['times']} × {each['trouble']}" for each in told["retries"])
        print(
            f"{label:12}{told['clips']:>7}{told['elapsed_s']:>11.1f}{waited:>11.1f}"
            f"{told['received_bytes'] / 1e6:>13.1f}  {again or '–'}"
        )
    whole = same and peaceful["clips"] == disturbed["clips"] == rows
    print(f"{'the same bytes' if same else 'OTHER TRANSCRIPTS'}, {rows} rows were there")
    return 0 if whole else 1


def _transcripts(out: Path) -> bytes:
    return (out / "transcripts.jsonl").read_bytes()


if __name__ == "__main__":
    sys.exit(main())
