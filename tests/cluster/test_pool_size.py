"""How many workers a cluster should have."""

from __future__ import annotations

import pytest

from quest22.cluster.pool_size import Need, PoolLimits, pool_size

HOUR = 3600.0
ANY = PoolLimits(1, 1000)


@pytest.mark.parametrize(
    ("need", "limits", "running", "size"),
    [
        # nothing is left
        (Need(0, 0.0, 20.0, 30.0), ANY, 5, 0),
        # nothing is measured yet: the least, or what there is
        (Need(100, 100 * HOUR, None, 30.0), PoolLimits(2, 16), 0, 2),
        (Need(100, 100 * HOUR, None, 30.0), PoolLimits(2, 16), 5, 5),
        # a worker at 20 times real time needs 18,000 s for 100 h, which is worth 150 starts of 30 s
        (Need(300, 100 * HOUR, 20.0, 30.0), ANY, 2, 150),
        (Need(300, 100 * HOUR, 20.0, 30.0), PoolLimits(2, 16), 2, 16),
        # a start that takes ten minutes is worth fewer
        (Need(300, 100 * HOUR, 20.0, 600.0), ANY, 2, 7),
        # those that run stay, even if it would not be worth to start them
        (Need(30, 1 * HOUR, 20.0, 600.0), ANY, 9, 9),
        # a fixed number
        (Need(300, 100 * HOUR, 20.0, 30.0), PoolLimits(4, 4), 4, 4),
        (Need(300, 0.01 * HOUR, 20.0, 30.0), PoolLimits(4, 4), 1, 4),
        # more workers than units: none is started for that, the least stay, surplus ones stop
        (Need(2, 1 * HOUR, None, 30.0), PoolLimits(4, 4), 0, 2),
        (Need(2, 1 * HOUR, 20.0, 30.0), PoolLimits(4, 4), 4, 4),
        (Need(5, 1 * HOUR, 20.0, 30.0), PoolLimits(2, 16), 10, 5),
        (Need(1, 1 * HOUR, 20.0, 30.0), PoolLimits(2, 16), 10, 2),
        # a deadline: 100 h at 20 times real time with a tenth more, 19,800 s, in two hours
        (Need(300, 100 * HOUR, 20.0, 30.0, 2 * HOUR), ANY, 0, 3),
        # two workers do 14,400 s of it, the third begins late
        (Need(300, 100 * HOUR, 20.0, 1700.0, 2 * HOUR), ANY, 2, 3),
        (Need(300, 100 * HOUR, 20.0, 6000.0, 2 * HOUR), ANY, 2, 7),
        # fewer are enough, much fewer: the others stop
        (Need(300, 100 * HOUR, 20.0, 30.0, 4 * HOUR), ANY, 10, 2),
        (Need(300, 100 * HOUR, 20.0, 30.0, 2.2 * HOUR), ANY, 3, 3),
        # a deadline that no new worker can meet, or that has passed: as many as may be
        (Need(300, 100 * HOUR, 20.0, 600.0, 300.0), PoolLimits(2, 16), 2, 16),
        (Need(300, 100 * HOUR, 20.0, 600.0, -5.0), PoolLimits(2, 16), 2, 16),
    ],
)
def test_the_size_of_a_pool(need: Need, limits: PoolLimits, running: int, size: int) -> None:
    assert pool_size(need, limits, running) == size


def test_a_pool_settles() -> None:
    """What is asked for is not asked to change as soon as it is there."""
    for deadline_s in (None, 600.0, 2 * HOUR, 40 * HOUR):
        need = Need(300, 100 * HOUR, 20.0, 60.0, deadline_s)
        size = pool_size(need, ANY, 1)
        assert pool_size(need, ANY, size) == size
