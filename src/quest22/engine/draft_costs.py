"""Measures what steps of a draft model cost beside those of its model, when they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from time import process_time

import numpy as np

from quest22.checkpoint.config import Dimensions
from quest22.decoding.draft_length import StepCosts
from quest22.engine.cpu_backend import RowNetwork, RowSession
from quest22.engine.cross_kv_cache import CrossKVCache

_KNOWN = 32
"""Tokens that a row has before the steps that are measured."""
_MORE = 3
_REPEATS = 3


def measure_costs(models: Sequence[tuple[RowNetwork, Dimensions]], most_rows: int) -> StepCosts:
    """Of a model and its draft, for 1, 4 and ``most_rows`` rows, as far as there are so many.

    The sound is a constant: how long a step takes does not depend on it. Processor time is counted,
    so that it matters little what else the machine does.
    """
    counts = sorted({1, min(4, most_rows), most_rows})
    (plain, longer), (drafts, _) = (_seconds(*each, counts) for each in models)
    checks = (np.array(longer) - plain) / _MORE
    return StepCosts(
        tuple(counts),
        tuple(np.divide(drafts, plain).tolist()),
        tuple(np.divide(checks, plain).clip(0).tolist()),
    )


def _seconds(
    network: RowNetwork, dims: Dimensions, counts: Sequence[int]
) -> tuple[list[float], list[float]]:
    """A step of one token, and one of four, for each number of rows."""
    cache = CrossKVCache(dims, counts[-1], network.kv_element)
    for name, array in cache.views(slice(0, cache.rows)).items():
        # 1 in int8; as bits of bfloat16, not a denormal number, which would take longer
        array[...] = 0x3C00 if array.dtype == np.uint16 else 0.01 if "scale" in name else 1
    session = RowSession(network, cache)
    return tuple(  # type: ignore[return-value]
        [_fastest(session, rows, tokens) for rows in counts] for tokens in (1, 1 + _MORE)
    )


def _fastest(session: RowSession, rows: int, tokens: int) -> float:
    session.restart(range(rows))
    first = np.zeros((rows, _KNOWN), np.int32)
    session.step(first, first[:, 0], first[:, :1])
    positions = np.full(rows, _KNOWN, np.int32)
    wanted = np.tile(np.arange(tokens, dtype=np.int32), (rows, 1))
    taken = []
    for _ in range(_REPEATS):
        start = process_time()
        session.step(np.zeros((rows, tokens), np.int32), positions, wanted)
        taken.append(process_time() - start)
    return min(taken)
