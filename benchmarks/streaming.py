"""Measures of streaming, with an engine of known cost in place of the model.

``busy``: on a server limited to 20 Mbit/s with 100 ms of latency, the share of time that the engine
works after its first batch, and the bytes received for each byte of the needed column chunks.
``clips groups pages hours members``: resident memory over 20,000 clips, over row groups of 300 MB
in many pages and in one, over recordings of ten hours by themselves and within tar files.

    python -m benchmarks.streaming busy clips groups pages hours members --memory 1G
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks import corpora, memory
from benchmarks.fakes import FakeEngine, results
from quest22.demo import server as demo
from quest22.metrics import Metrics
from quest22.settings import DatasetSettings
from quest22.settings.quantities import parse_size

BYTES_PER_S = 20e6 / 8
LATENCY_S = 0.1
CLIP_S = 5.0
FOOTER_BYTES = 64 << 10


class SlowServer(demo.RangeServer):
    """A range server behind one thin line, shared by all connections."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._line = threading.Lock()

    def count(self, requests: int = 0, bytes_sent: int = 0) -> None:
        if requests:
            time.sleep(LATENCY_S)
        if bytes_sent:
            with self._line:
                time.sleep(bytes_sent / BYTES_PER_S)
        super().count(requests, bytes_sent)


def busy(folder: Path) -> None:
    """The engine takes 1.5 times as long as the line for the same clips."""
    files = [
        corpora.write_parquet(folder / f"{n}.parquet", 120, group=40, seconds=CLIP_S, first=120 * n)
        for n in range(3)
    ]
    clip_bytes = len(corpora.sound(CLIP_S, 0))
    engine = FakeEngine(1.5 * FakeEngine.batch_size * clip_bytes / BYTES_PER_S)
    metrics = Metrics()
    with SlowServer(folder) as server:
        urls = tuple(f"{server.url}/{path.name}" for path in files)
        count = sum(
            1 for _ in results(DatasetSettings("parquet", data_files=urls), engine, metrics)
        )
    received, needed = metrics.counts()["net_bytes"], corpora.needed_bytes(files)
    seconds = metrics.seconds()
    waits = ", ".join(
        f"{name.removeprefix('wait_')} {seconds.get(name, 0.0):.2f} s"
        for name in ("wait_network", "wait_source", "wait_audio")
    )
    print(
        f"busy: {count} clips, engine at work {engine.share:.1%} after its first batch; waits: "
        f"{waits}; received {received / needed:.4f} × the needed chunks, "
        f"{(received - len(files) * FOOTER_BYTES) / needed:.4f} × without footers"
    )


def main() -> int:
    """Carry out the measures that are named."""
    measures = ["busy", *memory.LOADS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming")
    parser.add_argument("measures", nargs="*", choices=measures, default=measures)
    parser.add_argument("--memory", default="1G", help="the limit, as quest22 stream takes it")
    given = parser.parse_args()
    limit = parse_size(given.memory)
    rows = []
    for name in given.measures:
        with tempfile.TemporaryDirectory(prefix="quest22-bench-") as folder:
            if name == "busy":
                busy(Path(folder))
                continue
            rows.append(memory.measure(name, Path(folder), limit).row(limit / 1e6))
            print(f"{HEADED if len(rows) == 1 else ''}{rows[-1]}", flush=True)
    return 0


HEADED = f"{memory.HEADING}\n"

if __name__ == "__main__":
    sys.exit(main())
