"""Two measures of streaming, with an engine of known cost in place of the model.

``busy``: on a server limited to 20 Mbit/s with 100 ms of latency, the share of time that the engine
works after its first batch, and the bytes received for each byte of the needed column chunks.
``memory``: resident memory at every 1,000 of 20,000 clips. ``group``: the same for row groups of
300 MB. Figures are printed as ratios where they can be.

    python benchmarks/streaming.py busy memory group
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quest22.audio.decode import MediaDecoder
from quest22.audio.pool import decode_ahead
from quest22.demo import server as demo
from quest22.meter import Meter
from quest22.records import Clip, Decoding, Hypothesis, Samples, Transcript, Window
from quest22.scheduler import Scheduler
from quest22.settings import AudioSettings, DatasetSettings
from quest22.source.hub import DatasetSource

BYTES_PER_S = 20e6 / 8
LATENCY_S = 0.1
CLIP_S = 5.0


class FakeEngine:
    """Hears nothing, and takes ``batch_s`` for a batch."""

    batch_size = 8

    def __init__(self, batch_s: float) -> None:
        self._batch_s = batch_s
        self.begun_s: float | None = None
        self.busy_s = 0.0
        self.ended_s = 0.0

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        begun_s = time.perf_counter()
        time.sleep(self._batch_s)
        self.ended_s = time.perf_counter()
        if self.begun_s is not None:  # what the first batch waited for is not counted
            self.busy_s += self.ended_s - begun_s
        self.begun_s = self.begun_s or self.ended_s
        return [Hypothesis((), "en", 1.0, 0.0, 0.0) for _ in windows]

    @property
    def share(self) -> float:
        """The part of the time since the first batch that it was at work."""
        return self.busy_s / max(self.ended_s - (self.begun_s or 0.0), 1e-9)


class _Machine:
    """A clip of at most one window."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._length = 0
        self._waiting = 0
        self._flushed = False

    def feed(self, samples: Samples) -> list[Window]:
        self._length += len(samples)
        self._waiting += 1
        return [Window(samples, 0.0, Decoding())]

    def flush(self) -> list[Window]:
        self._flushed = True
        return []

    def accept(self, _window: Window, _hypothesis: Hypothesis) -> list[Window]:
        self._waiting -= 1
        return []

    @property
    def finished(self) -> bool:
        return self._flushed and not self._waiting

    def close(self) -> Transcript:
        clip = self._clip
        return Transcript(
            clip.key, clip.name, "", "en", 1.0, self._length / 16_000, (), clip.origin
        )


class Strategy:
    """Blocks of sound as windows."""

    def open(self, clip: Clip) -> _Machine:
        return _Machine(clip)


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


def sound(seconds: float, seed: int) -> bytes:
    """Noise as WAV, which no codec makes smaller."""
    noise = np.random.default_rng(seed).normal(0, 3000, round(seconds * 16_000)).astype("<i2")
    container = BytesIO()
    with wave.open(container, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(noise.tobytes())
    return container.getvalue()


def write(path: Path, clips: int, *, group: int, seconds: float, files: int = 1) -> list[str]:
    """Files of ``clips`` rows each, with ballast in a column that nobody needs."""
    sounds = [sound(seconds, seed) for seed in range(16)]
    names = [path / f"{number}.parquet" for number in range(files)]
    for number, name in enumerate(names):
        rows = range(number * clips, (number + 1) * clips)
        writer: Any = None
        for begin in range(0, clips, group):
            part = rows[begin : begin + group]
            table = pa.table(
                {
                    "id": [f"clip-{row}" for row in part],
                    "audio": [{"bytes": sounds[row % 16], "path": None} for row in part],
                    "ballast": [sounds[row % 16][:2000] for row in part],
                }
            )
            writer = writer or pq.ParquetWriter(name, table.schema, compression="snappy",
                                                use_dictionary=False)  # fmt: skip
            writer.write_table(table, row_group_size=group)
        writer.close()
    return [str(name) for name in names]


def needed_bytes(files: Sequence[str]) -> int:
    """Bytes of the column chunks of id and sound."""
    total = 0
    for file in files:
        footer = pq.read_metadata(file)
        for group in range(footer.num_row_groups):
            chunks = [footer.row_group(group).column(n) for n in range(footer.num_columns)]
            wanted = [chunk for chunk in chunks if chunk.path_in_schema != "ballast"]
            total += sum(chunk.total_compressed_size for chunk in wanted)
    return total


def results(files: Sequence[str], engine: FakeEngine, meter: Meter) -> Iterator[Any]:
    """A run over Parquet files: source, decoding threads, scheduler."""
    source = DatasetSource(DatasetSettings("parquet", data_files=tuple(files)), meter)
    settings = AudioSettings()
    audios = decode_ahead(source, MediaDecoder(settings, meter), settings, meter)
    return Scheduler(engine, Strategy(), meter).run(audios)


def resident_mb() -> float:
    """This process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def busy(folder: Path) -> None:
    """The engine takes 1.5 times as long as the line for the same clips."""
    files = write(folder, 120, group=40, seconds=CLIP_S, files=3)
    clip_bytes = len(sound(CLIP_S, 0))
    engine = FakeEngine(1.5 * FakeEngine.batch_size * clip_bytes / BYTES_PER_S)
    meter = Meter()
    with SlowServer(folder) as server:
        count = sum(1 for _ in results([f"{server.url}/{Path(name).name}" for name in files],
                                       engine, meter))  # fmt: skip
    received = meter.counts()["net_bytes"]
    footers = len(files) * (64 << 10)
    print(f"busy: {count} clips, engine at work {engine.share:.1%} after its first batch; received "
          f"{received / needed_bytes(files):.4f} × the needed chunks, "
          f"{(received - footers) / needed_bytes(files):.4f} × without footers")  # fmt: skip


def memory(folder: Path, clips: int = 20_000) -> None:
    """Resident memory over many short clips that come over HTTP."""
    files = write(folder, 2000, group=200, seconds=0.5, files=1)
    engine, first = FakeEngine(0.0), 0.0
    with demo.RangeServer(folder) as server:
        named = [f"{server.url}/{Path(files[0]).name}?{n}" for n in range(clips // 2000)]
        for number, _ in enumerate(results(named, engine, Meter()), start=1):
            if number % 1000 == 0:
                first = first or resident_mb()
                print(f"memory: {number:,} clips, {resident_mb():.0f} MB, "
                      f"{resident_mb() / first:.3f} × that at 1,000", flush=True)  # fmt: skip


def group(folder: Path) -> None:
    """Row groups of 300 MB."""
    files = write(folder, 640, group=320, seconds=30.0)
    before, most = resident_mb(), 0.0
    with demo.RangeServer(folder) as server:
        for _ in results([f"{server.url}/{Path(files[0]).name}"], FakeEngine(0.0), Meter()):
            most = max(most, resident_mb())
    size = needed_bytes(files) / 2e6
    print(f"group: row groups of {size:.0f} MB, resident memory grew by {most - before:.0f} MB")


def main() -> int:
    """Carry out the measures that are named."""
    measures = {"busy": busy, "memory": memory, "group": group}
    parser = argparse.ArgumentParser(prog="python benchmarks/streaming.py")
    parser.add_argument("measures", nargs="*", choices=measures, default=list(measures))
    for name in parser.parse_args().measures:
        with tempfile.TemporaryDirectory(prefix="quest22-bench-") as folder:
            measures[name](Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
