"""How fast windows are transcribed: random weights of the true shapes, all tokens counted."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.gpu.figures import Recorder, seconds
from benchmarks.gpu.sizes import Sizes, checkpoint, synchronize
from quest22.checkpoint.footprint import encoder_work
from quest22.checkpoint.load import Checkpoint, load
from quest22.decoding.draft_length import StepCosts
from quest22.engine.engine import WhisperEngine
from quest22.engine.torch.backend import BatchShape, TorchBackend
from quest22.engine.torch.build import BATCH_A_ROW, ENCODED_AT_ONCE, HELD_A_ROW
from quest22.engine.torch.cache import CrossKVPool
from quest22.engine.torch.device import choose_placement
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.speculative import TorchDraft
from quest22.errors import EngineError, UsageError
from quest22.metrics import Metrics
from quest22.records import WINDOW_S, DecodingOptions, Window

LONGEST, SHORTEST = 1.8, 0.2
"""Of ragged texts, in shares of the mean."""

DRAFTED = 16
"""Rows of drafts: of more, fewer guesses are checked at once."""

FREE = StepCosts((1,), (0.05,), (0.01,))
"""With these a draft guesses as far as it may."""


def turbo(record: Recorder, sizes: Sizes, folder: Path) -> None:
    """large-v3-turbo at every batch size; then texts of ragged lengths at the last of them."""
    _measure(record, sizes, load(str(checkpoint(folder, "large-v3-turbo", sizes))), sizes.tokens)


def large(record: Recorder, sizes: Sizes, folder: Path) -> None:
    """large-v3 with many tokens a window, and with fewer."""
    found = load(str(checkpoint(folder, "large-v3", sizes)))
    few = replace(sizes, windows=max(sizes.windows // 4, 1), batches=sizes.batches[:2])
    _measure(record, few, found, sizes.tokens)
    _measure(record, few, found, sizes.fewer_tokens)


def drafts(record: Recorder, sizes: Sizes, folder: Path) -> None:
    """Passes of a draft model and of its check, with graphs and without.

    The model drafts for itself: all guesses are right, and nothing is gained by it but the figure.
    """
    found = load(str(checkpoint(folder, "large-v3-turbo", sizes)))
    model, rows = _model(found, sizes), min(sizes.batches[0], DRAFTED)
    windows = _windows(found, HELD_A_ROW * rows, sizes.tokens)
    times_s = {
        graphs: _attempt(
            record,
            sizes,
            Opened(found, model, rows, draft=True, graphs=graphs),
            windows,
            f"its own draft, {'with' if graphs else 'without'} graphs",
        )
        for graphs in (True, False)
    }
    with_s, without_s = times_s[True], times_s[False]
    if with_s and without_s:
        record("graphs against none", without_s / with_s, "times as fast", f"{rows} at once")


def tiny(record: Recorder, sizes: Sizes, folder: Path) -> None:
    """tiny, where everything but the device counts."""
    _measure(record, sizes, load(str(checkpoint(folder, "tiny", sizes))), sizes.tokens)


def cold_start(record: Recorder, sizes: Sizes, folder: Path) -> None:
    """From the start of Python to the first transcript of large-v3-turbo, in a new process."""
    path = checkpoint(folder, "large-v3-turbo", sizes)
    program = (
        "from pathlib import Path; from benchmarks.gpu import speed, sizes; "
        f"speed.first_transcript(Path({str(path)!r}), sizes.{'REHEARSAL' if sizes.toy else 'FULL'})"
    )
    for run in ("first", "second"):
        begun_s = perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603
        record(f"{run} process", perf_counter() - begun_s, "s", "to the first transcript and exit")


def first_transcript(path: Path, sizes: Sizes) -> None:
    """One window, by an engine that is opened for it."""
    found = load(str(path))
    engine, _ = Opened(found, _model(found, sizes), 1).engine(Metrics())
    engine.run(_windows(found, 1, sizes.tokens))


def _measure(record: Recorder, sizes: Sizes, found: Checkpoint, tokens: int) -> None:
    model = _model(found, sizes)
    _measure_encoder(record, sizes, found, model)
    windows = _windows(found, sizes.windows, tokens)
    note = f"{tokens} tokens"
    times_s = {
        rows: _attempt(record, sizes, Opened(found, model, rows), windows, note)
        for rows in sizes.batches
    }
    rows = min(times_s, key=lambda rows: times_s[rows] or math.inf)
    ragged, note = _ragged(windows, tokens), f"ragged, {tokens} tokens on average"
    opened = Opened(found, model, rows)
    ragged_s, fixed_s = _attempt(record, sizes, opened, ragged, note), times_s[rows]
    if ragged_s and fixed_s:
        record("ragged against fixed", fixed_s / ragged_s, "share", f"{rows} at once")
    if len(windows) > HELD_A_ROW * rows:
        held = replace(opened, batch=HELD_A_ROW * rows)
        alone_s = _attempt(record, sizes, held, ragged, f"{note}, batch after batch")
        if ragged_s and alone_s:
            record("parts in flight against none", alone_s / ragged_s, "times as fast", note)
    for other in (f"int8_kv_{sizes.dtype}", "fp8_encoder"):
        try:
            model = _model(found, sizes, other)
        except UsageError as refused:
            record(f"{other} against {sizes.dtype}", 0, "times as fast", str(refused))
            continue
        if model.placement.fp8_encoder:
            _measure_encoder(record, sizes, found, model)
        opened = replace(opened, model=model)
        other_s = _attempt(record, sizes, opened, windows, f"{other}, {tokens} tokens")
        if other_s and fixed_s:
            record(f"{other} against {sizes.dtype}", fixed_s / other_s, "times as fast")


@dataclass(frozen=True, slots=True)
class Opened:
    """A model, how many windows are decoded at once, and how many a batch has.

    ``draft``: it drafts for itself, so that all guesses are right; with ``graphs`` of its passes.
    """

    found: Checkpoint
    model: WhisperModel
    rows: int
    batch: int | None = None
    draft: bool = False
    graphs: bool = True

    def engine(self, metrics: Metrics) -> tuple[WhisperEngine, TorchBackend]:
        """An engine, with its backend; a batch as :mod:`quest22.engine.torch.build` has it."""
        shape = BatchShape(HELD_A_ROW * self.rows, self.rows, ENCODED_AT_ONCE)
        draft = TorchDraft(self.model, FREE, shares=True) if self.draft else None
        batch = self.batch or BATCH_A_ROW * self.rows
        backend = TorchBackend(self.found, self.model, shape, draft, batch, graphs=self.graphs)
        return WhisperEngine(self.found, backend, no_features, metrics), backend


def _attempt(
    record: Recorder,
    sizes: Sizes,
    opened: Opened,
    windows: list[Window],
    note: str,
) -> float | None:
    """As :func:`_timed`; None where memory does not suffice, which is recorded."""
    try:
        return _timed(record, sizes, opened, windows, note)
    except (EngineError, torch.OutOfMemoryError) as error:
        record(f"{opened.rows} at once", 0, "× real time", str(error).splitlines()[0][:120])
        return None
    finally:
        _free()


def _timed(
    record: Recorder,
    sizes: Sizes,
    opened: Opened,
    windows: list[Window],
    note: str,
) -> float:
    """Record how fast windows are transcribed, and which stage takes how long; the seconds."""
    metrics, rows = Metrics(), opened.rows
    engine, backend = opened.engine(metrics)
    counted: list[int] = []

    def run() -> None:
        metrics.reset()
        counted.clear()
        for start in range(0, len(windows), engine.batch_size):
            heard = engine.run(windows[start : start + engine.batch_size])
            counted.extend(len(each.tokens) for each in heard)
        synchronize(sizes)

    took_s = seconds(run, sizes.rounds)
    note = f"{note}; {sum(counted) / len(counted):.1f} counted"
    record(f"{rows} at once", WINDOW_S * len(windows) / took_s, "× real time", note)
    for stage, stage_s in metrics.seconds().items():
        record(f"{rows} at once: {stage}", 1000 * stage_s / len(windows), "ms a window", note)
    if counts := backend.step_counts.rows:
        used = backend.step_counts.used / counts
        record(f"{rows} at once: rows of steps that were used", used, "share", note)
    return took_s


def _measure_encoder(
    record: Recorder, sizes: Sizes, found: Checkpoint, model: WhisperModel
) -> None:
    """The encoder alone, in the chunks that the engine takes.

    In float8 its rate, too, counts all products, of which some are of 16 bits.
    """
    count = 1 if sizes.toy else ENCODED_AT_ONCE
    pool = CrossKVPool(found.dimensions, count, model.placement)
    features = torch.randn(count, found.dimensions.mel_bins, 3000, device=sizes.device)

    def run() -> None:
        with torch.inference_mode():
            model.encode(features, pool, slice(0, count))
        synchronize(sizes)

    took_s = seconds(run, sizes.rounds)
    work = 2 * encoder_work(found.dimensions) * count  # multiplications and additions
    name = "encoder alone, fp8" if model.placement.fp8_encoder else "encoder alone"
    record(name, 1000 * took_s / count, "ms a window", f"{count} at once")
    record(name, work / took_s / 1e12, "TFLOP/s", "with cross-attention's keys, values")
    _free()


def _model(found: Checkpoint, sizes: Sizes, compute_type: str | None = None) -> WhisperModel:
    placement = choose_placement(sizes.device, compute_type or sizes.dtype)
    return WhisperModel(found.weights, found.dimensions, placement)


def _windows(found: Checkpoint, count: int, tokens: int) -> list[Window]:
    """Windows of noise that bring their features; some are shared, which no engine can tell."""
    rng = np.random.default_rng(0)
    shape = (found.dimensions.mel_bins, 3000)
    features = [rng.standard_normal(shape, dtype=np.float32) for _ in range(min(count, 16))]
    silent = np.zeros(480_000, np.float32)
    options = DecodingOptions("en", max_new_tokens=tokens)
    return [
        Window(silent, 0.0, options, features=features[place % len(features)])
        for place in range(count)
    ]


def _ragged(windows: list[Window], tokens: int) -> list[Window]:
    """The same windows with limits that differ, ``tokens`` on average."""
    shares = np.random.default_rng(1).uniform(SHORTEST, LONGEST, len(windows))
    limits = np.maximum(1, np.round(shares / shares.mean() * tokens)).astype(int).tolist()
    return [
        replace(window, decoding=replace(window.decoding, max_new_tokens=limit))
        for window, limit in zip(windows, limits, strict=True)
    ]


def no_features(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """For windows that bring their features: what others would need is not there."""
    raise RuntimeError("every window brings its features")


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
