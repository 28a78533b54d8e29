"""Rounds after the first: which units are done again, agreed on by all workers that retry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from quest22.cluster.layout import round_name
from quest22.cluster.object_store import ObjectStore
from quest22.errors import UsageError


class Round(NamedTuple):
    """Round ``number`` (from 1) is about these units."""

    number: int
    units: tuple[int, ...]


def rounds(store: ObjectStore) -> list[Round]:
    """All rounds after the first."""
    found: list[Round] = []
    while (each := _read(store, len(found) + 1)) is not None:
        found.append(each)
    return found


def begin_round(store: ObjectStore, number: int, units: Sequence[int]) -> Round:
    """Begin a round, or join the one of that number that another worker has begun."""
    store.create(round_name(number), json.dumps(list(units)).encode())
    begun = _read(store, number)
    if begun is None:
        raise UsageError(f"{store.shown}: {round_name(number)} is gone: put it back")
    return begun


def _read(store: ObjectStore, number: int) -> Round | None:
    stored = store.read(round_name(number))
    if stored is None:
        return None
    try:
        return Round(number, tuple(int(unit) for unit in json.loads(stored.content)))
    except (ValueError, TypeError) as exc:
        raise UsageError(
            f"{store.shown}/{round_name(number)} cannot be read ({exc}): put it back as it was"
        ) from exc
