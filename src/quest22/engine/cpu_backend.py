"""The CPU backend: an encoder and a stepwise decoder, with the search in NumPy.

Its parts are C code or OpenVINO graphs, as :mod:`quest22.engine.build` composes them; this module
knows neither.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.tokens import Tokens
from quest22.decoding.alignment import AlignmentInput, Heads, KeptAttention, Scores
from quest22.decoding.draft_length import StepCosts
from quest22.decoding.logprobs import Logits
from quest22.decoding.search import BatchSearch, decode_in_tries
from quest22.decoding.speculative import (
    HostChecker,
    HostProposer,
    SpeculativeSearch,
    follows,
)
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult
from quest22.engine.backend import Features
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.draft import Undrafted
from quest22.errors import EngineError
from quest22.records import Alignment

_log = logging.getLogger("quest22")


class EncoderRunner(Protocol):
    """Encodes a batch's windows into the rows of a :class:`CrossKVCache`.

    ``wait_for_slot``, ``submit`` and ``wait`` raise ``RuntimeError`` or :class:`EngineError` if a
    window failed.
    """

    def begin_batch(self, windows: int) -> None:
        """Start a batch of this many windows, after waiting for windows of a failed batch."""
        ...

    def wait_for_slot(self) -> None:
        """Block until :meth:`submit` would not block.

        The next window's features are then computed while the encoder leaves cores free: threads
        that share a core wait for one another at every operation.
        """
        ...

    def submit(self, row: int, features: Features) -> None:
        """Encode a window's features into a row, now or with others.

        Of features ``[mel bins, 2 n]`` the row holds n frames.
        """
        ...

    def wait(self) -> None:
        """Block until all submitted windows are encoded."""
        ...


class DecoderNetwork(Protocol):
    """A decoder's layers with their self-attention cache inside.

    All sequences of a batch are at the same position. Those of one window (its beams) are adjacent
    and share its cross-attention keys and values.
    """

    @property
    def kv_element(self) -> str:
        """The element type of the :class:`CrossKVCache` that it reads."""
        ...

    @property
    def any_frames(self) -> bool:
        """Whether rows may hold different numbers of frames; if not, all must be full."""
        ...

    def begin(self, cross_kv: CrossKVCache, windows: Sequence[int], num_beams: int) -> None:
        """Empty the cache and start these windows, with up to ``num_beams`` sequences each.

        The first step may have one for each window, which the next one's continue.
        """
        ...

    def keep_scores(self, heads: Heads) -> Scores | None:
        """Keep the scores of some heads' cross-attention from now on, of a single sequence.

        They are ``[heads, positions, frames]``, before the softmax; a step writes those of the
        positions that it feeds. None: this network cannot.
        """
        ...

    def select_windows(self, windows: Sequence[int]) -> None:
        """Window i of the next steps continues window ``windows[i]``; others leave."""
        ...

    def step(
        self,
        tokens: NDArray[np.int32],
        position: int,
        beams: NDArray[np.int32],
        logit_positions: list[int],
    ) -> Logits:
        """Feed ``tokens [B, T]`` at ``position``; return the logits after some of T: ``[B, N, V]``.

        Row i continues row ``beams[i]`` of the last call. What was fed at ``position`` and after it
        before is forgotten. The array is writable and valid until the next call.
        """
        ...


class Aligner(Protocol):
    """Finds the times of the tokens of known texts."""

    @property
    def heads(self) -> Heads:
        """The (layer, head) pairs whose attention follows the speech."""
        ...

    def align(self, inputs: Sequence[AlignmentInput], cross_kv: CrossKVCache) -> list[Alignment]:
        """Align each text with its window in ``cross_kv``."""
        ...


class DecoderSession:
    """Runs a network step by step over some windows of a cache.

    A :class:`quest22.decoding.search.BatchDecoder`. ``kept`` are the scores of the attention heads
    ``heads``, as :meth:`DecoderNetwork.keep_scores` has them, of the windows ``keep`` if they are
    decoded alone.
    """

    def __init__(
        self,
        network: DecoderNetwork,
        cross_kv: CrossKVCache,
        keep: Collection[int] = (),
        heads: Heads = (),
    ) -> None:
        self.kept: dict[int, Scores] = {}
        self._network = network
        self._cross_kv = cross_kv
        self._keep = keep
        self._heads = heads
        self._position = 0
        self._num_beams = 1
        self._windows = 0
        self._fed = 1  # rows of each window in the last step
        self._beams = np.arange(0, dtype=np.int32)

    def restart(self, windows: Sequence[int], num_beams: int = 1) -> None:
        self._network.begin(self._cross_kv, windows, num_beams)
        self._position = 0
        self._num_beams = self._fed = num_beams
        self._windows = len(windows)
        self._beams = np.arange(num_beams * len(windows), dtype=np.int32)
        if len(self._beams) == 1 and windows[0] in self._keep:
            scores = self._network.keep_scores(self._heads)
            if scores is not None:
                self.kept[windows[0]] = scores

    def reorder_cache(self, rows: Sequence[int]) -> None:
        if rows:
            windows = [row // self._fed for row in rows[:: self._num_beams]]
            self._network.select_windows(windows)
            self._windows = len(windows)
            self._beams = np.array(rows, np.int32)

    def rewind(self, position: int) -> None:
        self._position = position

    def step(self, tokens: NDArray[np.int32], logit_positions: Sequence[int]) -> Logits:
        beams = self._beams if self._position else np.arange(len(tokens), dtype=np.int32)
        logits = self._network.step(tokens, self._position, beams, list(logit_positions))
        self._fed = len(tokens) // self._windows
        self._position += tokens.shape[1]
        self._beams = np.arange(len(tokens), dtype=np.int32)
        return logits


class RowNetwork(DecoderNetwork, Protocol):
    """A decoder whose sequences may be at positions of their own."""

    @property
    def positions(self) -> int:
        """How many tokens a sequence has room for."""
        ...

    def step_rows(
        self,
        tokens: NDArray[np.int32],
        positions: NDArray[np.int32],
        beams: NDArray[np.int32],
        logit_positions: NDArray[np.int32],
    ) -> Logits:
        """As :meth:`step`, with ``positions [B]`` and ``logit_positions [B, N]``."""
        ...


class RowSession:
    """Runs a network over some windows of a cache, each at its own position.

    A :class:`quest22.decoding.speculative.RowDecoder`.
    """

    def __init__(self, network: RowNetwork, cross_kv: CrossKVCache) -> None:
        self.positions = network.positions
        self._network = network
        self._cross_kv = cross_kv
        self._beams = np.arange(0, dtype=np.int32)

    def restart(self, windows: Sequence[int]) -> None:
        self._network.begin(self._cross_kv, windows, 1)
        self._beams = np.arange(len(windows), dtype=np.int32)

    def keep(self, rows: Sequence[int]) -> None:
        self._network.select_windows(rows)
        self._beams = np.array(rows, np.int32)

    def step(
        self,
        tokens: NDArray[np.int32],
        positions: NDArray[np.int32],
        logit_positions: NDArray[np.int32],
    ) -> Logits:
        wanted = np.ascontiguousarray(logit_positions)
        logits = self._network.step_rows(tokens, positions, self._beams, wanted)
        self._beams = np.arange(len(tokens), dtype=np.int32)
        return logits


@dataclass(frozen=True, slots=True)
class DraftParts:
    """The parts of a draft model, and what its steps cost beside the model's.

    ``model`` is the decoder that checks. Without an ``encoder``, the model's encoder fills
    ``cross_kv`` too.
    """

    model: RowNetwork
    decoder: RowNetwork
    cross_kv: CrossKVCache
    costs: StepCosts
    encoder: EncoderRunner | None = None


@dataclass(frozen=True, slots=True)
class CpuParts:
    """The parts of a CPU backend; encoder and decoder share ``cross_kv``.

    ``release_files`` frees the memory of files that were mapped to load the parts, once they have
    run. ``same_in_any_batch``: they compute a window in the same way whatever is beside it.
    """

    encoder: EncoderRunner
    decoder: DecoderNetwork
    aligner: Aligner
    cross_kv: CrossKVCache
    release_files: Callable[[], None] = lambda: None
    same_in_any_batch: bool = False
    draft: DraftParts | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EncodedWindows:
    """The first ``count`` windows of the cache, until the next batch.

    ``attention`` is what was kept of some of them when they were decoded.
    """

    count: int
    attention: dict[int, KeptAttention] = field(default_factory=dict)


class CpuBackend:
    """A :class:`quest22.engine.backend.Backend` on a CPU, with room for one batch."""

    device_type = "cpu"
    batches_in_flight = 1

    def __init__(self, name: str, compute_type: str, tokens: Tokens, parts: CpuParts) -> None:
        self.name = name
        self.compute_type = compute_type
        self.batch_size = self.windows_at_once = parts.cross_kv.rows
        self.shortens_context = parts.decoder.any_frames
        self.same_in_any_batch = parts.same_in_any_batch
        self._opened: CpuParts | None = parts
        self._sot = tokens.sot
        self._search = BatchSearch(tokens.no_speech)
        self._speculative = SpeculativeSearch(parts.draft.costs) if parts.draft else None
        self._undrafted = Undrafted()

    def encode(self, features: Sequence[Callable[[], Features]]) -> EncodedWindows:
        encoder, draft = self._parts.encoder, self._parts.draft
        caches = [self._parts.cross_kv, *([draft.cross_kv] if draft else [])]
        encoders = [encoder, *([draft.encoder] if draft and draft.encoder else [])]
        for cache in caches:
            cache.begin_batch()
        for each in encoders:
            each.begin_batch(len(features))
        for row, compute in enumerate(features):
            encoder.wait_for_slot()
            computed = compute()
            for each in encoders:
                each.submit(row, computed)
        for each in encoders:
            each.wait()
        return EncodedWindows(len(features))

    def language_logits(self, cross_kv: EncodedWindows, tokens: Sequence[int]) -> Logits:
        session = DecoderSession(self._parts.decoder, self._parts.cross_kv)
        session.restart(range(cross_kv.count))
        starts = np.full((cross_kv.count, 1), self._sot, np.int32)
        logits: Logits = session.step(starts, [0])[:, 0, tokens]
        return logits

    def decode(
        self, cross_kv: EncodedWindows, requests: Sequence[DecodeRequest]
    ) -> list[DecodeResult]:
        keep = {window for window, each in enumerate(requests) if each.keep_attention}
        heads = self._parts.aligner.heads if keep else ()
        session = DecoderSession(self._parts.decoder, self._parts.cross_kv, keep, heads)
        results = self._decode(session, requests)
        for window, scores in session.kept.items():
            if not results[window].logprobs:  # beams replaced what was decoded greedily
                continue
            kept = _kept_attention(requests[window], results[window], scores)
            cross_kv.attention[window] = kept
        self._parts.release_files()
        return results

    def align(self, cross_kv: EncodedWindows, inputs: Sequence[AlignmentInput]) -> list[Alignment]:
        known = [cross_kv.attention.get(each.window) for each in inputs]
        done = {
            place: kept.align(each)
            for place, (each, kept) in enumerate(zip(inputs, known, strict=True))
            if kept is not None and kept.aligns(each)
        }
        rest = [place for place in range(len(inputs)) if place not in done]
        if rest:
            asked = [inputs[place] for place in rest]
            found = self._parts.aligner.align(asked, self._parts.cross_kv)
            done.update(zip(rest, found, strict=True))
            self._parts.release_files()
        return [done[place] for place in range(len(inputs))]

    def open_flow(self) -> None:
        """Steps cost what their rows cost, so places that are left empty cost nothing."""

    def close(self) -> None:
        if self._speculative is not None and self._speculative.counts.passes:
            _log.info("draft model: %s", self._speculative.counts)
        self._opened = None

    def _decode(
        self, session: DecoderSession, requests: Sequence[DecodeRequest]
    ) -> list[DecodeResult]:
        """With the draft model, if there is one, what it can follow."""
        draft, search = self._parts.draft, self._speculative
        if draft is None or search is None:
            return self._search.decode(session, requests)
        checker = HostChecker(RowSession(draft.model, self._parts.cross_kv), self._search.no_speech)
        proposer = HostProposer(RowSession(draft.decoder, draft.cross_kv))

        def decode(part: Mapping[int, DecodeRequest], num_beams: int) -> list[DecodeResult]:
            followed = {window: each for window, each in part.items() if follows(each)}
            rest = {window: each for window, each in part.items() if window not in followed}
            results: dict[int, DecodeResult] = {}
            if followed:
                results.update(zip(followed, search.run(checker, proposer, followed), strict=True))
            if rest:
                self._undrafted.tell()
                session.restart(list(rest), num_beams)
                found = self._search.run(session, list(rest.values()))
                results.update(zip(rest, found, strict=True))
            return [results[window] for window in part]

        return decode_in_tries(requests, decode)

    @property
    def _parts(self) -> CpuParts:
        if self._opened is None:
            raise EngineError("the engine is closed: open another one")
        return self._opened


def _kept_attention(request: DecodeRequest, result: DecodeResult, scores: Scores) -> KeptAttention:
    """What was kept of a window, without the text before it and what was fed in vain."""
    given = request.prompt.tokens
    fed = len(given) + len(result.logprobs) - 1
    return KeptAttention(
        (*given[request.prompt.sot_index :], *result.tokens),
        scores[:, request.prompt.sot_index : fed],
        result.logprobs[: len(result.tokens)],
    )
