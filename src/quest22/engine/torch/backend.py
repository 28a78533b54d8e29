"""The PyTorch backend: encoder, search and alignment on one device, for one batch at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from functools import partial
from itertools import islice
from typing import NoReturn, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from quest22.checkpoint.load import Checkpoint
from quest22.decoding.alignment import AlignmentInput
from quest22.decoding.logprobs import Logits
from quest22.decoding.search import BatchSearch, decode_in_tries
from quest22.decoding.speculative import SpeculativeSearch, follows
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult
from quest22.engine.backend import Features, SmallerBatchError
from quest22.engine.draft import Undrafted
from quest22.engine.torch.alignment import TorchAligner
from quest22.engine.torch.cache import CrossKVPool, SelfKVCache
from quest22.engine.torch.flow import EncodedWindows, TorchFlow
from quest22.engine.torch.memory import (
    cache_bytes,
    give_back,
    in_one_sentence,
    is_out_of_memory,
    on_device,
    too_large,
)
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.passes import PassRunner
from quest22.engine.torch.search import DeviceSearch, StepCounts, flows, runs_on_device
from quest22.engine.torch.session import TorchSession
from quest22.engine.torch.speculative import DeviceChecker, DeviceProposer, TorchDraft
from quest22.engine.torch.steps import Capture, cuda_graphs
from quest22.errors import EngineError
from quest22.records import Alignment

Value = TypeVar("Value")
Keep: TypeAlias = "Callable[[int, DecodeRequest, DecodeResult], None]"

PARTS_HELD = 4
"""Parts of a batch that there is room for at least, so that they can follow one another."""

_log = logging.getLogger("quest22")


@dataclass(frozen=True, slots=True)
class BatchShape:
    """The sound of ``windows`` is held; as many as there are ``rows`` are decoded at once.

    ``encoded_at_once`` windows go through the encoder together.
    """

    windows: int
    rows: int
    encoded_at_once: int

    @property
    def part_size(self) -> int:
        """Windows of a part of a larger batch, of which four are held at once or more."""
        return max(1, min(self.encoded_at_once, self.windows // PARTS_HELD))

    @property
    def is_smallest(self) -> bool:
        """Whether there is no half of it."""
        return self.windows == self.rows == 1

    def halved(self) -> BatchShape:
        """Half of everything."""
        return BatchShape(*(max(1, each // 2) for each in astuple(self)))


@dataclass(frozen=True, slots=True, eq=False)
class _Caches:
    """What takes the device's memory beside the weights, and what holds on to it."""

    pool: CrossKVPool
    cache: SelfKVCache
    first_token: SelfKVCache
    search: DeviceSearch
    aligner: TorchAligner
    draft: _DraftCaches | None


@dataclass(frozen=True, slots=True, eq=False)
class _DraftCaches:
    """Those of a draft model, and its roles."""

    pool: CrossKVPool
    checker: DeviceChecker
    proposer: DeviceProposer


class TorchBackend:
    """A :class:`quest22.engine.backend.Backend` on a device of PyTorch."""

    name = "torch"
    batches_in_flight = 1
    shortens_context = False
    same_in_any_batch = False

    def __init__(
        self,
        checkpoint: Checkpoint,
        model: WhisperModel,
        shape: BatchShape,
        draft: TorchDraft | None = None,
        batch_size: int | None = None,
        *,
        graphs: bool = True,
    ) -> None:
        """A batch has ``batch_size`` windows; by default, as many as the shape.

        ``graphs``: steps are captured on a device that can.

        Takes a smaller shape if memory does not hold this one.

        Raises :class:`EngineError` if it holds none, and :class:`CheckpointError` for alignment
        heads that the model does not have.
        """
        self.batch_size = batch_size or shape.windows
        self.device_type = model.placement.device.type
        self.compute_type = model.placement.compute_type
        self.device = model.placement.device
        self.shape = shape
        self._sot = checkpoint.tokens.sot
        self._no_speech = checkpoint.tokens.no_speech
        self._opened: tuple[Checkpoint, WhisperModel] | None = checkpoint, model
        self._draft = draft
        self._undrafted = Undrafted()
        self._graphs = graphs
        self._speculative = SpeculativeSearch(draft.costs) if draft else None
        self._allocated: _Caches | None = None
        _ = self._caches

    @property
    def windows_at_once(self) -> int:
        return min(self.batch_size, self.shape.windows)

    @property
    def step_counts(self) -> StepCounts:
        """What decoding took since the caches were made."""
        return self._caches.search.counts

    def encode(self, features: Sequence[Callable[[], Features]]) -> EncodedWindows:
        caches = self._caches
        for pool in (caches.pool, *([caches.draft.pool] if caches.draft else [])):
            pool.begin_batch()
        if len(features) > self.shape.windows:
            raise SmallerBatchError("the batch does not fit the memory", self.shape.windows)
        windows = self._caches.pool.take(len(features))
        self._encode(features, windows)
        return EncodedWindows(windows)

    def open_flow(self) -> TorchFlow | None:
        """None with a draft model, whose rows are at places of their own."""
        if self._draft is not None:
            return None
        return TorchFlow(
            self._caches.pool,
            self._caches.search,
            self.shape.part_size,
            self._encode,
            partial(flows, device=self.device),
            self._within_memory,
        )

    def language_logits(self, cross_kv: EncodedWindows, tokens: Sequence[int]) -> Logits:
        return self._within_memory(lambda: self._language_logits(cross_kv, tokens))

    def decode(
        self, cross_kv: EncodedWindows, requests: Sequence[DecodeRequest]
    ) -> list[DecodeResult]:
        # Attention is found again for alignments, so no window is decoded alone to keep its own.
        plain = [replace(each, keep_attention=False) for each in requests]
        finished: dict[int, DecodeResult] = {}

        def keep(window: int, tried: DecodeRequest, result: DecodeResult) -> None:
            if tried is plain[window] or plain[window].stands(result):
                finished[window] = result

        def decode_together(
            part: Mapping[int, DecodeRequest], num_beams: int
        ) -> list[DecodeResult]:
            return self._decode_together(part, num_beams, keep)

        return self._within_memory(lambda: decode_in_tries(plain, decode_together), finished)

    def align(self, cross_kv: EncodedWindows, inputs: Sequence[AlignmentInput]) -> list[Alignment]:
        held = [replace(each, window=cross_kv.windows[each.window]) for each in inputs]
        return self._within_memory(lambda: self._caches.aligner.align(held))

    def close(self) -> None:
        if self._speculative is not None and self._speculative.counts.passes:
            _log.info("draft model: %s", self._speculative.counts)
        self._opened = self._allocated = self._draft = None
        give_back(self.device)

    def _encode(self, features: Sequence[Callable[[], Features]], windows: Sequence[int]) -> None:
        """Encode windows, each into the row of its number in the pool."""
        pending, first = iter(features), 0
        with _exact_products(self.device):
            while chunk := [compute() for compute in islice(pending, self.shape.encoded_at_once)]:
                self._encode_chunk(np.stack(chunk), windows[first : first + len(chunk)])
                first += len(chunk)

    def _encode_chunk(self, features: NDArray[np.float32], windows: Sequence[int]) -> None:
        """Encode some windows; fewer at once if memory asks."""
        done = 0
        while done < len(features):
            some = slice(done, done + self.shape.encoded_at_once)
            given, numbers = features[some], windows[some]
            told = self._tried(partial(self._encode_rows, given, numbers))
            if told is None:
                done += len(given)
            elif len(given) == 1:
                self._shrink(told)
            else:
                give_back(self.device)
                self.shape = replace(self.shape, encoded_at_once=len(given) // 2)
                _log.warning(
                    "memory ran out on %s while %d windows were encoded (%s): from now on %d are "
                    "encoded at once; a smaller --batch-size leaves more memory",
                    self.device.type,
                    len(given),
                    told,
                    len(given) // 2,
                )

    def _encode_rows(self, features: NDArray[np.float32], windows: Sequence[int]) -> None:
        """For the model and its draft; once if they have one encoder."""
        given = on_device(torch.from_numpy(features), self.device)
        pool = self._caches.pool
        sound = self._model.encode(given, pool, pool.places(windows))
        if self._draft is None or self._caches.draft is None:
            return
        pool = self._caches.draft.pool
        if self._draft.shares:
            self._draft.model.put_sound(sound, pool, pool.places(windows))
        else:
            self._draft.model.encode(given, pool, pool.places(windows))

    def _language_logits(self, cross_kv: EncodedWindows, tokens: Sequence[int]) -> Logits:
        """Beside windows that are being decoded: with a cache for one token, and in other rows."""
        pool, cache, found = self._caches.pool, self._caches.first_token, []
        for first in range(0, len(cross_kv.windows), cache.rows):
            sound = pool.adjacent(cross_kv.windows[first : first + cache.rows])
            starts = torch.full((sound.stop - sound.start, 1), self._sot, device=self.device)
            rows = (cache, slice(0, len(starts)))
            x = self._model.decode(starts, torch.zeros_like(starts), rows, (pool, sound), 1)
            found.append(self._model.logits(x[:, 0])[:, tokens].cpu().numpy())
        logits: Logits = np.concatenate(found)
        return logits

    def _decode_together(
        self, part: Mapping[int, DecodeRequest], num_beams: int, keep: Keep
    ) -> list[DecodeResult]:
        """Decode windows with equally many rows: on the device, or what is rare with NumPy.

        ``keep`` is told each result as soon as it is known.
        """
        here = {window: each for window, each in part.items() if runs_on_device(each, self.device)}
        results: dict[int, DecodeResult] = {}
        if self._draft is not None:
            followed = {window: each for window, each in here.items() if follows(each)}
            here = {window: each for window, each in here.items() if window not in followed}
            if len(followed) < len(part):
                self._undrafted.tell()
            results.update(self._with_draft(followed))
            for window, result in results.items():
                keep(window, followed[window], result)
        if here:
            found = self._caches.search.run(
                here, lambda window, result: keep(window, here[window], result)
            )
            results.update(zip(here, found, strict=True))
        done = {*here, *results}
        rest = {window: each for window, each in part.items() if window not in done}
        for some in _pieces(rest, self._caches.cache.windows(num_beams)):
            session = self._session()
            session.restart(list(some), num_beams)
            searched = BatchSearch(self._no_speech).run(session, list(some.values()))
            for window, result in zip(some, searched, strict=True):
                keep(window, some[window], result)
                results[window] = result
        return [results[window] for window in part]

    def _with_draft(self, requests: Mapping[int, DecodeRequest]) -> dict[int, DecodeResult]:
        draft, search = self._caches.draft, self._speculative
        if search is None or draft is None:
            return {}
        results: dict[int, DecodeResult] = {}
        for some in _pieces(requests, self._caches.cache.rows):
            found = search.run(draft.checker, draft.proposer, some)
            results.update(zip(some, found, strict=True))
        return results

    def _session(self) -> TorchSession:
        return TorchSession(self._model, self._caches.pool, self._caches.cache)

    # Memory.

    def _within_memory(
        self, work: Callable[[], Value], finished: Mapping[int, DecodeResult] | None = None
    ) -> Value:
        """What ``work`` gives; if memory runs out, a smaller shape and a SmallerBatchError."""
        given: list[Value] = []
        with _exact_products(self.device):
            told = self._tried(lambda: given.append(work()))
        if told is not None:
            self._shrink(told, finished)
        return given[0]

    def _tried(self, work: Callable[[], None]) -> str | None:
        """Do it; what an error said if memory ran out.

        The error itself is gone then, and with it what its frames held on the device.
        """
        try:
            work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return in_one_sentence(error)
        return None

    def _shrink(self, told: str, finished: Mapping[int, DecodeResult] | None = None) -> NoReturn:
        """Have half as large caches from now on, or still smaller ones."""
        if self.shape.is_smallest:
            self._allocated = None  # they are made again where they fit
            give_back(self.device)
            raise EngineError(too_large(self._model.dims, self._model.placement))
        self._replace_caches(self.shape.halved(), told)
        reason = f"memory ran out on {self.device.type}"
        raise SmallerBatchError(reason, self.shape.windows, finished)

    def _replace_caches(self, shape: BatchShape, told: str) -> None:
        """Make caches of this shape, or of halves of it; the log tells why there are smaller ones.

        Raises :class:`EngineError` if memory does not even hold those for one window.
        """
        before = self.shape
        while True:
            self._allocated = None
            give_back(self.device)
            self.shape = shape
            now_told = self._tried(self._allocate)
            if now_told is None:
                break
            if shape.is_smallest:
                raise EngineError(too_large(self._model.dims, self._model.placement))
            shape, told = shape.halved(), now_told
        if (shape.windows, shape.rows) != (before.windows, before.rows):
            _log.warning(
                "memory ran out on %s (%s): from now on %d windows are decoded at once, not %d, and"
                " %d are encoded before, not %d; --batch-size %d avoids this",
                self.device.type,
                told,
                shape.rows,
                before.rows,
                shape.windows,
                before.windows,
                self._fitting_batch_size(),
            )

    def _fitting_batch_size(self) -> int:
        """How many windows, all decoded at once, take as much memory as the caches do."""
        window, row = cache_bytes(self._model.dims, self._model.placement)
        size = self.shape.windows * window + self.shape.rows * row
        return max(1, min(self.shape.windows, size // (window + row)))

    def _allocate(self) -> None:
        checkpoint, model = self._checkpoint, self._model
        pool = CrossKVPool(model.dims, self.shape.windows, model.placement)
        cache = SelfKVCache(model.dims, self.shape.rows, model.placement)
        # A graph would hold on to buffers that have another layer's weights when it is replayed.
        graphs = self._graphs and not model.is_streamed
        capture = cuda_graphs(self.device) if graphs else None
        search = DeviceSearch(model, pool, cache, self._no_speech, capture)
        aligner = TorchAligner(checkpoint, model, pool)
        one = replace(model.dims, max_target_positions=1)
        first_token = SelfKVCache(one, self.shape.rows, model.placement)
        draft = None
        if self._draft is not None:
            checker = PassRunner(model, pool, cache, capture)
            draft = self._draft_caches(self._draft.model, checker, capture)
        self._allocated = _Caches(pool, cache, first_token, search, aligner, draft)

    def _draft_caches(
        self, model: WhisperModel, checker: PassRunner, capture: Capture | None
    ) -> _DraftCaches:
        pool = CrossKVPool(model.dims, self.shape.windows, model.placement)
        cache = SelfKVCache(model.dims, self.shape.rows, model.placement)
        proposer = PassRunner(model, pool, cache, capture)
        return _DraftCaches(pool, DeviceChecker(checker, self._no_speech), DeviceProposer(proposer))

    @property
    def _caches(self) -> _Caches:
        if self._allocated is None:
            self._replace_caches(self.shape, "")
        assert self._allocated is not None  # noqa: S101 -- just made
        return self._allocated

    @property
    def _checkpoint(self) -> Checkpoint:
        return self._when_open[0]

    @property
    def _model(self) -> WhisperModel:
        return self._when_open[1]

    @property
    def _when_open(self) -> tuple[Checkpoint, WhisperModel]:
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
