"""Whether the device computes rightly: against the CPU, and against itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.gpu.figures import Recorder
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.speed import FREE, no_features
from quest22.bench.random_checkpoint import write_checkpoint
from quest22.checkpoint.load import Checkpoint, load
from quest22.engine.engine import WhisperEngine
from quest22.engine.torch.backend import BatchShape, TorchBackend
from quest22.engine.torch.device import choose_placement
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.self_check import probe_logits
from quest22.engine.torch.speculative import TorchDraft
from quest22.errors import UsageError
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, Hypothesis, SearchOptions, Window

FORMATS = {
    "float32": 1e-4,
    "bfloat16": 0.1,
    "float16": 0.01,
    "int8_kv_float32": 0.1,
    "int8_kv_bfloat16": 0.1,
    "fp8_encoder": 0.15,
}
"""How far logits may be from float32's on the CPU: as ``tests/support/logit_errors.py`` has it."""


def checks(record: Recorder, sizes: Sizes, folder: Path) -> None:
    """Logits in every format, tokens in float32, and the same batch twice, by cut models.

    A check that fails has a value of 0, and the others go on.
    """
    for name in sizes.checked_shapes:
        shape = replace(sizes.shape(name), encoder_layers=3, decoder_layers=2)
        found = load(str(write_checkpoint(folder / f"cut-{name}", shape, dtype="BF16")))
        _check_logits(record, sizes, name, found)
        _check_tokens(record, sizes, name, found)


def _check_logits(record: Recorder, sizes: Sizes, name: str, found: Checkpoint) -> None:
    expected = _logits(found, "cpu", "float32")
    for compute_type, limit in FORMATS.items():
        try:
            actual = _logits(found, sizes.device, compute_type)
        except UsageError as refused:
            record(f"{name}: logit error {compute_type}", 0, "of deviation", str(refused))
            continue
        error = float(np.sqrt(np.mean((actual - expected) ** 2)) / expected.std())
        verdict = "right" if error < limit else f"WRONG: above {limit}"
        record(f"{name}: logit error {compute_type}", error, "of deviation", verdict)


def _logits(found: Checkpoint, device: str, compute_type: str) -> NDArray[np.float32]:
    placement = choose_placement(device, compute_type)
    with torch.inference_mode():
        return probe_logits(WhisperModel(found.weights, found.dimensions, placement))


def _check_tokens(record: Recorder, sizes: Sizes, name: str, found: Checkpoint) -> None:
    batch = _windows(found.dimensions.mel_bins, sizes.tokens)
    expected, _ = _decoded(found, "cpu", "float32", batch)
    for draft in (False, True):
        exact, _ = _decoded(found, sizes.device, "float32", batch, draft=draft)
        same = sum(a.tokens == b.tokens for a, b in zip(exact, expected, strict=True))
        note = "float32, with a draft" if draft else "float32"
        record(f"{name}: windows with the CPU's tokens", same / len(batch), "share", note)
    once, twice = _decoded(found, sizes.device, sizes.dtype, batch)
    record(f"{name}: the same batch twice", float(once == twice), "1: same bytes", sizes.dtype)


def _windows(mel_bins: int, tokens: int) -> list[Window]:
    """Sounds that differ, with all that a search may be asked for."""
    options = [
        DecodingOptions("en"),
        DecodingOptions("en", timestamps=True),
        DecodingOptions(None, timestamps=True),
        DecodingOptions("de", previous=tuple(range(1000, 1030))),
        DecodingOptions("en", temperature=0.6, search=SearchOptions(seed=(1,))),
        DecodingOptions("en", search=SearchOptions(beam_size=3)),
        DecodingOptions("en", words=True),
    ]
    rng = np.random.default_rng(0)
    return [
        Window(
            np.zeros(480_000, np.float32),
            0.0,
            replace(each, max_new_tokens=1 + min(tokens, 40) * place // len(options)),
            features=rng.standard_normal((mel_bins, 3000), dtype=np.float32),
        )
        for place, each in enumerate(options, 1)
    ]


def _decoded(
    found: Checkpoint, device: str, compute_type: str, batch: list[Window], *, draft: bool = False
) -> tuple[list[Hypothesis], list[Hypothesis]]:
    """A batch, decoded twice, in parts: two windows at once, whose places others take.

    ``draft``: the model drafts for itself.
    """
    model = WhisperModel(found.weights, found.dimensions, choose_placement(device, compute_type))
    drafting = TorchDraft(model, FREE, shares=True) if draft else None
    backend = TorchBackend(found, model, BatchShape(4, 2, 1), drafting, len(batch))
    engine = WhisperEngine(found, backend, no_features, Metrics())
    return engine.run(batch), engine.run(batch)
