"""A pass that feeds several tokens of each row and chooses after some of them, of fixed shape.

What drafts need, whose rows are at positions of their own: the draft model's guesses, and the
model's check of them. Like a step (:mod:`quest22.engine.torch.steps`) a pass is captured as a CUDA
graph when its shape first occurs: rows are padded to a power of two, tokens to one more than a
power of two, known positions to a multiple of 64. One array goes to the device and one comes back.
Without graphs the same code runs on arrays of just the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quest22.decoding.draft_length import MAX_GUESSES
from quest22.decoding.logprobs import check_finite
from quest22.decoding.speculative import Odds, Row, Tokens
from quest22.engine.torch.cache import CrossKVPool, SelfKVCache
from quest22.engine.torch.memory import on_device
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.rules import DeviceRules, RuleTables, TimestampState, last_tokens
from quest22.engine.torch.sampling import choose, log_probabilities
from quest22.engine.torch.steps import Capture, Run, padded_count, padded_length

MOST_TOKENS = 1 + MAX_GUESSES
"""Of each row, in a pass that is captured. Longer ones feed prompts, or what was long not asked."""


@dataclass(frozen=True, slots=True, eq=False)
class _Fixed:
    """Memory of a pass: what is fed, and the tokens chosen with their log-probabilities.

    ``chosen`` is ``[2, rows, choices]`` in float32, which holds the number of any token exactly.
    ``fed`` is ``[rows, columns]`` in int64: ``tokens``, places in them after which to choose, and
    four more, the first token's position and the :class:`TimestampState`.
    """

    fed: Tensor
    chosen: Tensor
    tokens: int

    def columns(self) -> tuple[Tensor, Tensor, Tensor, TimestampState]:
        """Tokens, places, positions, and the state before the first choice, which may change."""
        choices = self.chosen.shape[2]
        tokens, after, (start, *state) = (
            self.fed[:, : self.tokens],
            self.fed[:, self.tokens : self.tokens + choices],
            self.fed[:, self.tokens + choices :].T,
        )
        positions = start[:, None] + torch.arange(self.tokens, device=self.fed.device)
        return tokens, after, positions, TimestampState(*(each.clone() for each in state))


class PassRunner:
    """Runs passes over the first rows of the caches, one row a window."""

    def __init__(
        self,
        model: WhisperModel,
        pool: CrossKVPool,
        cache: SelfKVCache,
        capture: Capture | None,
    ) -> None:
        """Without ``capture`` every operation is launched by itself."""
        self.positions = cache.positions
        self._model = model
        self._pool = pool
        self._cache = cache
        self._capture = capture
        self._tables = RuleTables(model.dims.vocab_size, model.placement.device)
        self._rules: DeviceRules
        self._fixed_rules: dict[tuple[Any, ...], DeviceRules] = {}
        self._captured: dict[tuple[Any, ...], tuple[_Fixed, Run]] = {}
        self._windows: list[int] = []
        self._rows = 0
        self._longest = 0

    def begin_rows(self, rows: Sequence[Row]) -> None:
        """Start these rows, whose windows move to the first rows of the pool."""
        self._windows = [row.window for row in rows]
        self._pool.arrange(self._windows)
        self._longest = 0
        self._set_rules(rows)

    def keep(self, rows: Sequence[Row], order: Sequence[int]) -> None:
        """Row i of the next pass continues row ``order[i]``."""
        self._windows = [self._windows[index] for index in order]
        self._pool.arrange(self._windows)
        self._cache.continue_from(order, self._longest)
        self._set_rules(rows)

    def feed_prompts(self, tokens: Tokens, wanted: Tokens) -> tuple[Tensor, Tokens, Odds]:
        """Feed prompts ``[B, T]``, and look after two places ``wanted [B, 2]`` of each.

        Returns the logits after the first; and, chosen after the second, the first token of each
        row with its log-probability, ``[B, 1]``. Raises :class:`EngineError` if logits are not
        finite.
        """
        live, device = len(tokens), self._model.placement.device
        fed, after = (
            torch.tensor(self._all_rows(each), dtype=torch.int64, device=device)
            for each in (tokens, wanted)
        )
        positions = torch.arange(fed.shape[1], device=device).expand_as(fed)
        self._longest = max(self._longest, fed.shape[1])
        at_start, last = self._logits(fed, positions, after, fed.shape[1]).unbind(1)
        filtered = self._rules.apply_first(last)
        chosen = choose(filtered, None, None)
        both = torch.stack([chosen.float(), log_probabilities(filtered, chosen)])
        return at_start[:live], *_read(both[:, :live, None])

    def run(
        self,
        tokens: Tokens,
        starts: Tokens,
        wanted: Tokens,
        sampled: Sequence[Sequence[int]],
    ) -> tuple[Tokens, Odds]:
        """Feed ``tokens [B, T]`` from positions ``starts [B]`` on, and choose after ``wanted``.

        Those are places in T, ``[B, N]``: one in each row, or all of them. ``sampled`` are the
        tokens chosen before the first; each later choice follows the token that is fed there.
        Returns the tokens ``[B, N]`` and their log-probabilities. Raises :class:`EngineError` if
        logits are not finite.
        """
        (live, choices), end = wanted.shape, int(starts.max()) + tokens.shape[1]
        self._longest = max(self._longest, end)
        captured = self._capture is not None and tokens.shape[1] <= MOST_TOKENS
        if captured:
            # What is fed after a row's last token is fed again before it is attended to.
            tokens = _padded_tokens(tokens, self.positions - int(starts.max()))
            if choices > 1:
                wanted = np.arange(tokens.shape[1], dtype=np.int32)[None].repeat(live, 0)
        state = [last_tokens(each, self._rules.timestamp_begin) for each in sampled]
        columns = np.concatenate([tokens, wanted, starts[:, None], state], axis=1)
        given = torch.from_numpy(self._all_rows(columns).astype(np.int64))
        chosen = self._chosen(given, tokens.shape[1], wanted.shape[1], end, captured=captured)
        return _read(chosen[:, :live, :choices])

    def _all_rows(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Also those that are left over: they repeat the first, in rows that nobody else needs."""
        return np.concatenate([rows, rows[:1].repeat(self._rows - len(rows), 0)])

    def _chosen(
        self, given: Tensor, tokens: int, choices: int, end: int, *, captured: bool
    ) -> Tensor:
        given = on_device(given, self._model.placement.device)
        length = padded_length(end, self.positions)
        key = (len(given), tokens, choices, length, id(self._rules), self._cache.memory.data_ptr())
        if captured and key in self._captured:
            fixed, replay = self._captured[key]
            fixed.fed.copy_(given)
            replay()
            return fixed.chosen
        fixed = _Fixed(given, torch.empty(2, len(given), choices, device=given.device), tokens)
        run: Run = partial(self._pass, fixed, self._rules, length)
        if captured and self._capture is not None:
            run = self._capture(run)
            self._captured[key] = fixed, run
        run()
        return fixed.chosen

    def _pass(self, fixed: _Fixed, rules: DeviceRules, length: int) -> None:
        tokens, after, positions, state = fixed.columns()
        logits = self._logits(tokens, positions, after, length)
        for place in range(after.shape[1]):
            if place:
                state.update(tokens[:, place], rules.timestamp_begin)
            filtered = rules.apply(logits[:, place], state)
            chosen = choose(filtered, None, None)
            fixed.chosen[0, :, place] = chosen
            fixed.chosen[1, :, place] = log_probabilities(filtered, chosen)

    def _logits(self, tokens: Tensor, positions: Tensor, after: Tensor, length: int) -> Tensor:
        """Logits after some places of each row, ``[B, N, vocabulary]``."""
        rows = slice(0, len(tokens))
        x = self._model.decode(tokens, positions, (self._cache, rows), (self._pool, rows), length)
        return self._model.logits(x.gather(1, after[:, :, None].expand(-1, -1, x.shape[-1])))

    def _set_rules(self, rows: Sequence[Row]) -> None:
        """Of the rows, and of those that are left over; with memory of their own if captured."""
        more = padded_count(len(rows), self._cache.rows) - len(rows) if self._capture else 0
        requests = [row.request for row in (*rows, *[rows[0]] * more)]
        timed = [request.prompt.timestamps for request in requests]
        rules = DeviceRules(self._tables, [request.rules for request in requests], timed)
        self._rows = len(requests)
        self._rules = rules
        if self._capture is not None:
            self._rules = self._fixed_rules.setdefault((self._rows, *rules.key), rules)
            for own, given in zip(self._rules.rows(), rules.rows(), strict=True):
                own.copy_(given)


def _padded_tokens(tokens: Tokens, most: int) -> Tokens:
    """One more than a power of two for each row, ``most`` of them at most."""
    count = tokens.shape[1]
    if count > 1:
        count = min(1 + padded_count(count - 1, most), most)
    return np.pad(tokens, [(0, 0), (0, count - tokens.shape[1])])


def _read(chosen: Tensor) -> tuple[Tokens, Odds]:
    """Tokens and log-probabilities, on the host."""
    tokens, logprobs = chosen.cpu().numpy()
    check_finite(logprobs)
    return tokens.astype(np.int32), logprobs.astype(np.float64)
