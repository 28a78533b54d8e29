"""How many workers a cluster should have: decided from what is left, without a look at a cluster.

A worker that starts pays for it: a process, its imports, a model that is loaded or fetched. It is
worth that if it then works for several times as long. Workers that run have paid already, so they
go on until there is nothing for them, or until fewer are enough to meet a deadline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

WORTH = 4.0
"""A worker is started if there is work for this many times its start-up."""

MARGIN = 1.1
"""A deadline is met with a little more speed than is measured."""

SLACK = 0.8
"""Workers are stopped for a deadline if fewer than this share of them are enough."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """The least and the most workers, both at least 1."""

    least: int
    most: int


class Need(NamedTuple):
    """What is left to do.

    ``units_left``: units that have not ended, those at hand included. ``sound_left_s``: seconds of
    sound in them. ``speed``: seconds of sound that one worker transcribes in a second; None before
    it is measured. ``startup_s``: seconds until a new worker begins its first unit.
    ``deadline_s``: seconds in which all is to be done; None without a deadline.
    """

    units_left: int
    sound_left_s: float
    speed: float | None
    startup_s: float
    deadline_s: float | None = None


def pool_size(need: Need, limits: PoolLimits, running: int) -> int:
    """How many workers there should be, if ``running`` run or wait for room."""
    if not need.units_left:
        return 0
    size = max(limits.least, min(_wanted(need, running), limits.most))
    if size <= need.units_left:
        return size
    # More workers than units: none is started for that; the least may stay and repeat slow ones.
    return max(need.units_left, min(running, limits.least))


def _wanted(need: Need, running: int) -> int:
    if not need.speed:
        return running
    if need.deadline_s is not None:
        return _for_deadline(need, need.speed, running)
    work_s = need.sound_left_s / need.speed
    return max(running, math.floor(work_s / (WORTH * max(need.startup_s, 1.0))))


def _for_deadline(need: Need, speed: float, running: int) -> int:
    """The fewest workers that finish in time, though new ones begin late; if none do, the most."""
    deadline_s = max(need.deadline_s or 0.0, 0.0)
    work_s = MARGIN * need.sound_left_s / speed
    behind_s = work_s - running * deadline_s
    if behind_s > 0:
        useful_s = deadline_s - need.startup_s
        return running + math.ceil(behind_s / useful_s) if useful_s > 0 else need.units_left
    enough = math.ceil(work_s / deadline_s) if deadline_s else running
    return enough if enough < SLACK * running else running
