from __future__ import annotations

import numpy as np
import pytest

from quest22.decoding.draft_length import MAX_CHECKED, MAX_GUESSES, DraftLength, StepCosts

CHEAP, DEAR = StepCosts((1, 16), (0.1, 0.3), (0.1, 0.5)), StepCosts((1,), (0.8,), (0.3,))


def sure(rows: int) -> np.ndarray:
    return np.ones(rows)


def test_costs_between_those_that_are_known() -> None:
    assert CHEAP.share(1) == pytest.approx(0.2)
    assert CHEAP.share(16) == CHEAP.share(64) == pytest.approx(0.8)
    assert 0.2 < CHEAP.share(8) < 0.8
    assert CHEAP.ever_pays
    assert not DEAR.ever_pays


def test_only_guesses_that_are_likely_enough_go_on() -> None:
    length = DraftLength(CHEAP)
    assert length.another(sure(1), 0)
    assert length.another(np.array([0.3]), 1)
    assert not length.another(np.array([0.1]), 1)
    assert not length.another(np.array([0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), 1)
    assert not DraftLength(DEAR).another(sure(1), 0)


def test_wrong_guesses_end_it_and_right_ones_do_not() -> None:
    for right, goes_on in ((3, True), (0, False)):
        length = DraftLength(CHEAP)
        for _ in range(40):
            length.note(np.full((1, 3), 0.95), [right])
        assert length.another(sure(1), 0) is goes_on


def test_a_draft_that_doubts_what_is_right_is_asked_on() -> None:
    length = DraftLength(CHEAP)
    for _ in range(40):
        length.note(np.full((1, 1), 0.1), [1])
    assert length.another(sure(1), 0)


def test_a_round_without_guesses_tells_nothing() -> None:
    length = DraftLength(CHEAP)
    length.note(np.zeros((4, 0)), [0] * 4)
    assert length.another(sure(4), 0)


def test_no_more_than_there_is_memory_for() -> None:
    free = DraftLength(StepCosts((1,), (0.0,), (0.0,)))
    assert free.another(sure(1), MAX_GUESSES - 1)
    assert not free.another(sure(1), MAX_GUESSES)
    rows = MAX_CHECKED // 4
    assert free.another(sure(rows), 2)
    assert not free.another(sure(rows), 3)
