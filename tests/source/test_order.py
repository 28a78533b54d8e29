from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quest22.settings import DatasetSettings
from quest22.source.order import ordered, shuffled
from quest22.source.rows import Row
from quest22.source.shards import parts_of_shard

Part = list[Row]

PARTS = st.lists(st.integers(0, 9), min_size=1, max_size=7).map(
    lambda sizes: [[Row(part, n, {}) for n in range(size)] for part, size in enumerate(sizes)]
)
CHOICES = st.fixed_dictionaries(
    {
        "skip": st.integers(0, 12),
        "take": st.none() | st.integers(0, 30),
        "shuffle": st.booleans(),
        "buffer_size": st.integers(1, 20),
        "seed": st.integers(0, 3),
    }
)


def _run(parts: list[Part], **settings: Any) -> list[tuple[int, int]]:
    chosen = DatasetSettings("d", **settings)
    rows = chain.from_iterable(parts[part] for part in parts_of_shard(chosen, len(parts)))
    return [(row.part, row.number) for row in ordered(rows, chosen, len(parts))]


@given(PARTS, st.integers(0, 40), st.none() | st.integers(0, 40))
def test_skip_and_take_slice(parts: list[Part], skip: int, take: int | None) -> None:
    whole = _run(parts)
    stop = None if take is None else skip + take
    assert _run(parts, skip=skip, take=take) == whole[skip:stop]


@given(PARTS, CHOICES, st.integers(1, 9))
def test_shards_are_a_partition_of_the_run(
    parts: list[Part], choices: dict[str, Any], num_shards: int
) -> None:
    shards = [
        _run(parts, **choices, num_shards=num_shards, shard_index=index)
        for index in range(num_shards)
    ]
    assert Counter(chain.from_iterable(shards)) == Counter(_run(parts, **choices))


@given(PARTS, CHOICES)
def test_shuffling_keeps_every_row_and_repeats_itself(
    parts: list[Part], choices: dict[str, Any]
) -> None:
    kept = {**choices, "skip": 0, "take": None, "shuffle": True}
    assert sorted(_run(parts, **kept)) == _run(parts)
    assert _run(parts, **kept) == _run(parts, **kept)


@given(st.integers(2, 200), st.integers(1, 50), st.integers(0, 9))
def test_a_row_waits_in_a_buffer_of_the_given_size(count: int, buffer_size: int, seed: int) -> None:
    taken = 0

    def rows() -> Iterator[Row]:
        nonlocal taken
        for number in range(count):
            taken += 1
            yield Row(0, number, {})

    settings = DatasetSettings("d", buffer_size=buffer_size, seed=seed)
    for given_out, _ in enumerate(shuffled(rows(), settings)):
        assert taken - given_out <= buffer_size + 1


def test_the_buffer_is_bounded_by_bytes_too() -> None:
    sound = bytes(100 << 20)  # one object: only its length counts here
    rows = (Row(0, number, {"audio": {"bytes": sound, "path": None}}) for number in range(50))
    stream = shuffled(rows, DatasetSettings("d"))
    next(stream)
    waiting = next(rows)
    assert waiting.number == 6  # five of 100 MiB stay below 512 MiB; the sixth pushed one out
