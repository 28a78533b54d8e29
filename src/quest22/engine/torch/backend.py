"""The PyTorch backend: encoder, search and alignment on one device, for one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch

from quest22.checkpoint.load import Checkpoint
from quest22.decoding.alignment import AlignmentInput
from quest22.decoding.logprobs import Logits
from quest22.decoding.search import BatchSearch, decode_in_tries
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult
from quest22.engine.backend import Features
from quest22.engine.torch.alignment import TorchAligner
from quest22.engine.torch.cache import CrossKVPool, SelfKVCache
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.search import DeviceSearch, runs_on_device
from quest22.engine.torch.session import TorchSession
from quest22.engine.torch.steps import cuda_graphs
from quest22.errors import EngineError
from quest22.records import Alignment


@dataclass(frozen=True, slots=True)
class BatchShape:
    """``windows`` in a batch, of which as many as there are ``rows`` are decoded at once.

    ``encoded_at_once`` windows go through the encoder together.
    """

    windows: int
    rows: int
    encoded_at_once: int


@dataclass(frozen=True, slots=True, eq=False)
class EncodedWindows:
    """The first ``count`` windows of the pool, until the next batch."""

    count: int


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """What takes the device's memory."""

    model: WhisperModel
    pool: CrossKVPool
    cache: SelfKVCache
    search: DeviceSearch
    aligner: TorchAligner


class TorchBackend:
    """A :class:`quest22.engine.backend.Backend` on a device of PyTorch."""

    name = "torch"
    batches_in_flight = 1
    shortens_context = False
    same_in_any_batch = False

    def __init__(self, checkpoint: Checkpoint, model: WhisperModel, shape: BatchShape) -> None:
        """Raises :class:`CheckpointError` for alignment heads that the model does not have."""
        dims, tokens = checkpoint.dimensions, checkpoint.tokens
        self.batch_size = shape.windows
        self.device_type = model.placement.device.type
        self.compute_type = model.placement.compute_type
        self.device = model.placement.device
        self._at_once = shape.encoded_at_once
        self._sot = tokens.sot
        self._no_speech = tokens.no_speech
        pool = CrossKVPool(dims, shape.windows, model.placement)
        cache = SelfKVCache(dims, shape.rows, model.placement)
        capture = cuda_graphs(model.placement.device)
        search = DeviceSearch(model, pool, cache, tokens.no_speech, capture)
        aligner = TorchAligner(checkpoint, model, pool)
        self._opened: _Parts | None = _Parts(model, pool, cache, search, aligner)

    def encode(self, features: Sequence[Callable[[], Features]]) -> EncodedWindows:
        parts = self._parts
        parts.pool.begin_batch()
        pending = iter(features)
        with _exact_products(self.device):
            for start in range(0, len(features), self._at_once):
                chunk = np.stack([compute() for compute in islice(pending, self._at_once)])
                rows = slice(start, start + len(chunk))
                parts.model.encode(torch.from_numpy(chunk).to(self.device), parts.pool, rows)
        return EncodedWindows(len(features))

    def language_logits(self, cross_kv: EncodedWindows, tokens: Sequence[int]) -> Logits:
        starts = np.full((1, 1), self._sot, np.int32)
        rows = self._parts.cache.rows
        with _exact_products(self.device):
            found = []
            for first in range(0, cross_kv.count, rows):
                some = range(first, min(first + rows, cross_kv.count))
                session = self._session()
                session.restart(some)
                found.append(session.step(starts.repeat(len(some), 0), [0])[:, 0, tokens])
        return np.concatenate(found)

    def decode(
        self, cross_kv: EncodedWindows, requests: Sequence[DecodeRequest]
    ) -> list[DecodeResult]:
        # Attention is found again for alignments, so no window is decoded alone to keep its own.
        plain = [replace(each, keep_attention=False) for each in requests]
        with _exact_products(self.device):
            return decode_in_tries(plain, self._decode_together)

    def align(self, cross_kv: EncodedWindows, inputs: Sequence[AlignmentInput]) -> list[Alignment]:
        with _exact_products(self.device):
            return self._parts.aligner.align(inputs)

    def close(self) -> None:
        self._opened = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _decode_together(
        self, part: Mapping[int, DecodeRequest], num_beams: int
    ) -> list[DecodeResult]:
        """Decode windows with equally many rows: on the device, or what is rare with NumPy."""
        here = {window: each for window, each in part.items() if runs_on_device(each, self.device)}
        results: dict[int, DecodeResult] = {}
        if here:
            results.update(zip(here, self._parts.search.run(here), strict=True))
        rest = {window: each for window, each in part.items() if window not in here}
        for some in _pieces(rest, self._parts.cache.windows(num_beams)):
            session = self._session()
            session.restart(list(some), num_beams)
            found = BatchSearch(self._no_speech).run(session, list(some.values()))
            results.update(zip(some, found, strict=True))
        return [results[window] for window in part]

    def _session(self) -> TorchSession:
        return TorchSession(self._parts.model, self._parts.pool, self._parts.cache)

    @property
    def _parts(self) -> _Parts:
        if self._opened is None:
            raise EngineError("the engine is closed: open another one")
        return self._opened


def _pieces(requests: Mapping[int, DecodeRequest], size: int) -> Iterator[dict[int, DecodeRequest]]:
    pending = iter(requests.items())
    while piece := dict(islice(pending, size)):
        yield piece


@contextmanager
def _exact_products(device: torch.device) -> Iterator[None]:
    """No gradients, and products of float32 in float32: no TF32, whatever a program has chosen."""
    with torch.inference_mode():
        if device.type != "cuda":
            yield
            return
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)
