"""A draft model and its model on a device: guesses, checks and rules as tensor operations.

The roles are those of :mod:`quest22.decoding.speculative`, whose loop decides what counts. The host
reads a guess of each row at a time, and what was chosen in a pass; logits stay on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from quest22.checkpoint.config import Dimensions
from quest22.decoding.draft_length import StepCosts
from quest22.decoding.logprobs import check_finite
from quest22.decoding.speculative import Odds, Row, Tokens, fed_to_draft, padded
from quest22.engine.torch.cache import CrossKVPool, SelfKVCache
from quest22.engine.torch.device import Placement
from quest22.engine.torch.memory import cache_bytes
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.rules import DeviceRules, RuleTables, TimestampState
from quest22.engine.torch.sampling import choose, log_probabilities

_CHECK = 0.1
"""What another token adds to a pass over few rows, which is bound by reading weights."""


@dataclass(frozen=True, slots=True, eq=False)
class TorchDraft:
    """A draft model. If it ``shares`` the encoder, the model's sound is its own."""

    model: WhisperModel
    costs: StepCosts
    shares: bool


def computed_costs(model: Dimensions, draft: Dimensions, placement: Placement) -> StepCosts:
    """What a draft's steps cost beside its model's, by the bytes that each reads.

    Not measured: on this engine last digits depend on how many tokens are fed at once, and another
    process that goes on with a run must decide as the first one did.
    """
    counts = (1, 16, 128)
    drafts = [_bytes(draft, placement, each) / _bytes(model, placement, each) for each in counts]
    return StepCosts(counts, tuple(drafts), tuple(_CHECK for _ in counts))


def _bytes(dims: Dimensions, placement: Placement, rows: int) -> int:
    """Weights of the decoder, and keys and values of the rows' sound."""
    width = dims.d_model
    layer = 6 * width * width + 2 * width * dims.decoder_ffn
    weights = dims.decoder_layers * layer + dims.vocab_size * width
    sound, _ = cache_bytes(dims, placement)
    return weights * placement.dtype.itemsize + rows * sound


class _DeviceRows:
    """Runs a decoder over rows at positions of their own."""

    def __init__(
        self, model: WhisperModel, pool: CrossKVPool, cache: SelfKVCache, tables: RuleTables
    ) -> None:
        self.positions = cache.positions
        self._model = model
        self._pool = pool
        self._cache = cache
        self._tables = tables
        self._windows: list[int] = []
        self._longest = 0
        self._rules: DeviceRules

    def begin_rows(self, rows: Sequence[Row]) -> None:
        self._windows = [row.window for row in rows]
        self._pool.arrange(self._windows)
        self._longest = 0
        self._set_rules(rows)

    def keep(self, rows: Sequence[Row], order: Sequence[int]) -> None:
        self._windows = [self._windows[index] for index in order]
        self._pool.arrange(self._windows)
        self._cache.continue_from(order, self._longest)
        self._set_rules(rows)

    def _set_rules(self, rows: Sequence[Row]) -> None:
        requests = [row.request for row in rows]
        timed = [request.prompt.timestamps for request in requests]
        self._rules = DeviceRules(self._tables, [request.rules for request in requests], timed)

    def _feed(self, tokens: Tokens, starts: Tokens, wanted: Tokens) -> Tensor:
        """Feed ``tokens [B, T]`` from ``starts [B]`` on; logits after ``wanted [B, N]`` in T."""
        device, count = self._model.placement.device, len(tokens)
        fed, first, after = (
            torch.tensor(each, dtype=torch.int64, device=device)
            for each in (tokens, starts, wanted)
        )
        positions = first[:, None] + torch.arange(tokens.shape[1], device=device)
        end = int(starts.max()) + tokens.shape[1]
        self._longest = max(self._longest, end)
        rows = slice(0, count)
        x = self._model.decode(fed, positions, (self._cache, rows), (self._pool, rows), end)
        return self._model.logits(x.gather(1, after[:, :, None].expand(-1, -1, x.shape[-1])))

    def _state(self, sampled: Sequence[Sequence[int]]) -> TimestampState:
        begin = self._rules.timestamp_begin
        return TimestampState.of(sampled, begin, self._model.placement.device)


class DeviceChecker(_DeviceRows):
    """A :class:`quest22.decoding.speculative.Checker`."""

    def __init__(
        self,
        model: WhisperModel,
        pool: CrossKVPool,
        cache: SelfKVCache,
        tables: RuleTables,
        no_speech: int,
    ) -> None:
        super().__init__(model, pool, cache, tables)
        self._no_speech = no_speech

    def begin(self, rows: Sequence[Row]) -> tuple[Tokens, Odds]:
        self.begin_rows(rows)
        prompts = [row.request.prompt for row in rows]
        wanted = [[prompt.sot_index, len(prompt.tokens) - 1] for prompt in prompts]
        tokens = padded([prompt.tokens for prompt in prompts])
        logits = self._feed(tokens, np.zeros(len(rows), np.int32), np.array(wanted, np.int32))
        shares = logits[:, 0].softmax(1)[:, self._no_speech].tolist()
        for row, share in zip(rows, shares, strict=True):
            row.no_speech_prob = share
        filtered = self._rules.apply_first(logits[:, 1])
        return _read([_best(filtered)])

    def check(self, rows: Sequence[Row], guesses: Tokens) -> tuple[Tokens, Odds]:
        last = np.array([[row.sampled[-1]] for row in rows], np.int32)
        tokens = np.concatenate([last, guesses], axis=1)
        starts = np.array([row.length - 1 for row in rows], np.int32)
        wanted = np.tile(np.arange(tokens.shape[1], dtype=np.int32), (len(rows), 1))
        logits = self._feed(tokens, starts, wanted)
        state = self._state([row.sampled for row in rows])
        guessed = torch.tensor(guesses, dtype=torch.int64, device=logits.device)
        best = []
        for place in range(tokens.shape[1]):
            best.append(_best(self._rules.apply(logits[:, place], state)))
            if place < guessed.shape[1]:
                state.update(guessed[:, place], self._rules.timestamp_begin)
        return _read(best)


class DeviceProposer(_DeviceRows):
    """A :class:`quest22.decoding.speculative.Proposer`."""

    def begin(self, rows: Sequence[Row]) -> None:
        self.begin_rows(rows)

    def guess(self, rows: Sequence[Row], guesses: Sequence[list[int]]) -> tuple[list[int], Odds]:
        logits = self._feed(*fed_to_draft(rows, guesses))
        state = self._state([row.sampled + each for row, each in zip(rows, guesses, strict=True)])
        tokens, logprobs = _read([_best(self._rules.apply(logits[:, 0], state))])
        return tokens[:, 0].tolist(), logprobs[:, 0]


def _best(filtered: Tensor) -> tuple[Tensor, Tensor]:
    chosen = choose(filtered, None, None)
    return chosen, log_probabilities(filtered, chosen)


def _read(best: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tokens, Odds]:
    """Tokens and log-probabilities, a column each, on the host."""
    tokens, logprobs = (torch.stack(each, 1).cpu().numpy() for each in zip(*best, strict=True))
    check_finite(logprobs)
    return tokens.astype(np.int32), logprobs.astype(np.float64)
