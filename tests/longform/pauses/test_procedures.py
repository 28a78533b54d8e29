"""Procedures get the hypotheses they asked for, whatever else comes between."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.pauses.procedures import Procedure, Procedures
from quest22.records import DecodingOptions, Hypothesis, Window


def window(name: int) -> Window:
    return Window(np.zeros(1, np.float32), float(name), DecodingOptions())


def answer(asked: Window) -> Hypothesis:
    """Repeats the window's name."""
    return Hypothesis((int(asked.start_s),), None, 0.0, 0.0, 0.0)


def asking(rounds: list[int], name: int, told: list[list[int]]) -> Procedure[None]:
    """Asks for so many windows in each round; notes the answers."""
    for count in rounds:
        hypotheses = yield [window(1000 * name + at) for at in range(count)]
        told.append([each.tokens[0] for each in hypotheses])


def nothing_done() -> None:
    raise AssertionError("the procedure is at its end")


def test_windows_are_numbered_over_all_procedures() -> None:
    procedures = Procedures()
    first = procedures.start(asking([2, 1], 1, []), nothing_done)
    second = procedures.start(asking([1], 2, []), lambda: None)
    assert [each.index for each in [*first, *second]] == [0, 1, 2]
    assert procedures.add_result(first[1], answer(first[1])) == []
    (third,) = procedures.add_result(first[0], answer(first[0]))
    assert (third.index, third.start_s) == (3, 1000)


def test_a_procedure_without_windows_is_done_at_once() -> None:
    done: list[bool] = []
    procedures = Procedures()
    assert procedures.start(asking([], 1, []), lambda: done.append(True)) == []
    assert done == [True]
    assert procedures.idle


def test_idle_once_nothing_is_awaited() -> None:
    procedures = Procedures()
    assert procedures.idle
    (only,) = procedures.start(asking([1], 1, []), lambda: None)
    assert not procedures.idle
    procedures.add_result(only, answer(only))
    assert procedures.idle


@given(st.lists(st.lists(st.integers(1, 4), max_size=4), max_size=5), st.randoms())
def test_results_may_come_in_any_order(plans: list[list[int]], chance: random.Random) -> None:
    procedures = Procedures()
    told: list[list[list[int]]] = [[] for _ in plans]
    done: list[int] = []
    waiting: list[Window] = []

    def ends(name: int) -> Callable[[], None]:
        return lambda: done.append(name)

    for name, rounds in enumerate(plans):
        waiting += procedures.start(asking(rounds, name, told[name]), ends(name))
    seen = []
    while waiting:
        next_one = waiting.pop(chance.randrange(len(waiting)))
        seen.append(next_one.index)
        waiting += procedures.add_result(next_one, answer(next_one))
    assert sorted(seen) == list(range(sum(map(sum, plans))))
    assert sorted(done) == list(range(len(plans)))
    assert procedures.idle
    for name, rounds in enumerate(plans):
        assert told[name] == [[1000 * name + at for at in range(count)] for count in rounds]
