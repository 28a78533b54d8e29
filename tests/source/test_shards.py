from __future__ import annotations

from collections import Counter
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import UsageError
from quest22.records import Origin
from quest22.settings import DatasetSettings
from quest22.source.rows import Row
from quest22.source.shards import EarlierShard, RemainingRows, completed_shards, parts_of_shard

SIZES = st.lists(st.integers(0, 6), min_size=1, max_size=6)
RUNS = st.lists(st.tuples(st.integers(1, 8), st.lists(st.integers(0, 12), min_size=8, max_size=8)))


def _run(
    sizes: list[int],
    shard: EarlierShard,
    earlier: list[EarlierShard],
    window: dict[str, Any],
    *,
    counted: bool,
) -> list[Row]:
    chosen = {"num_shards": shard.num_shards, "shard_index": shard.shard_index}
    settings = DatasetSettings("d", **chosen, **window)
    done = completed_shards(earlier, settings, [f"f{part}" for part in range(len(sizes))])
    firsts = list(accumulate(sizes, initial=0)) if counted else None
    left = RemainingRows(settings, done, len(sizes), firsts)
    rows = (
        Row(part, number, {}, f"f{part}")
        for part, start in left.starts().items()
        for number in range(start, sizes[part])
    )
    return list(left.rows(rows))


@pytest.mark.parametrize("counted", [False, True])
@given(SIZES, RUNS, st.integers(1, 8), st.integers(0, 4), st.none() | st.integers(0, 20))
def test_every_row_once_however_shards_and_cuts_follow_each_other(
    counted: bool,
    sizes: list[int],
    runs: list[tuple[int, list[int]]],
    last: int,
    skip: int,
    take: int | None,
) -> None:
    window = {"skip": skip} if take is None else {"skip": skip, "take": take}
    earlier: list[EarlierShard] = []
    seen: list[tuple[int, int | None]] = []
    for shards, cuts in [*runs, (last, [1000] * 8)]:
        made = []
        for index in range(shards):
            mine = EarlierShard(shards, index)
            rows = _run(sizes, mine, earlier, window, counted=counted)
            did = rows[: cuts[index]]
            seen += [(row.part, row.number) for row in did]
            if did:
                mine = EarlierShard(shards, index, Origin("d", None, did[-1].file, did[-1].number))
            if len(did) == len(rows):
                mine = EarlierShard(shards, index, mine.last, finished=True)
            made.append(mine)
        earlier += made
    whole = [(part, number) for part, size in enumerate(sizes) for number in range(size)]
    stop = None if take is None else skip + take
    assert Counter(seen) == Counter(whole[skip:stop])


def test_files_that_are_done_are_not_read() -> None:
    settings = DatasetSettings("d")
    earlier = [EarlierShard(2, 0, finished=True), EarlierShard(2, 1, Origin("d", None, "f3", 4))]
    done = completed_shards(earlier, settings, ["f0", "f1", "f2", "f3", "f4", "f5"])
    assert RemainingRows(settings, done, 6).starts() == {3: 5, 5: 0}


def test_rows_that_are_done_are_not_read_where_files_tell_how_many_they_have() -> None:
    earlier = [EarlierShard(9, index, Origin("d", None, "f2", 40)) for index in range(9)]
    settings = DatasetSettings("d", num_shards=8, shard_index=1)
    done = completed_shards(earlier, settings, ["f0", "f1", "f2", "f3"])
    assert RemainingRows(settings, done, 4, [0, 100, 200, 300, 400]).starts() == {2: 41, 3: 5}


def test_what_cannot_be_continued() -> None:
    earlier = [EarlierShard(2, 0, Origin("d", None, "gone", 4))]
    with pytest.raises(UsageError, match="gone"):
        completed_shards(earlier, DatasetSettings("d"), ["f0"])
    with pytest.raises(UsageError, match="shuffled"):
        completed_shards(earlier, DatasetSettings("d", shuffle=True), ["gone"])


def test_whole_files_go_to_a_shard_where_they_suffice() -> None:
    settings = DatasetSettings("d", num_shards=3, shard_index=1)
    assert parts_of_shard(settings, 7) == [1, 4]
    assert parts_of_shard(settings, 2) == [0, 1]
