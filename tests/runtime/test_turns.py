"""Whose batch runs next, with an engine whose batches wait at a gate."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import EngineError
from quest22.protocols import Engine
from quest22.records import DecodingOptions, Hypothesis, Window
from quest22.runtime.turns import SPEAKING_S, URGENT_IN_A_ROW, EngineTurns, SpeechTimes
from tests.runtime.fakes import POISON, EchoEngine, PipelinedEcho, block

ENDS_S = 30.0


class ChoosyEngine(EchoEngine):
    """One whose results depend on the batch."""

    def same_in_any_batch(self, windows: Sequence[Window]) -> bool:
        return False


class Turns(EngineTurns):
    """With a clock that is set by hand."""

    def __init__(self, engine: Engine) -> None:
        self.now = 100.0
        super().__init__(engine, lambda: self.now)


def windows(*values: float) -> list[Window]:
    return [Window(block(value), 0.0, DecodingOptions()) for value in values]


def texts(hypotheses: list[Hypothesis]) -> list[int]:
    return [hypothesis.tokens[0] for hypothesis in hypotheses]


FED = [
    pytest.param(SpeechTimes(), 16, id="no session"),
    pytest.param(SpeechTimes(fed_s=99.0, spoke_s=99.0), 1, id="somebody speaks"),
    pytest.param(SpeechTimes(fed_s=99.0, spoke_s=90.0), 4, id="a silent session is fed"),
    pytest.param(SpeechTimes(fed_s=90.0, spoke_s=90.0), 16, id="a session is not fed"),
    pytest.param(SpeechTimes(100.0 - SPEAKING_S, 0.0), 16, id="just no longer"),
]


@pytest.mark.parametrize(("speech", "size"), FED)
def test_how_many_windows_of_a_file_run_together(speech: SpeechTimes, size: int) -> None:
    engine = EchoEngine(16)
    turns = Turns(engine)
    turns.speech = speech
    assert texts(turns.view(urgent=False).run(windows(*range(16)))) == list(range(16))
    assert [len(batch) for batch in engine.batches] == [size] * (16 // size)


def test_a_small_batch_is_not_cut_to_nothing() -> None:
    assert SpeechTimes(fed_s=100.0).windows_beside(100.0, 2) == 1


WHOLE = [
    pytest.param(ChoosyEngine, False, True, [[1, 2, 3]], id="results depend on the batch"),
    pytest.param(EchoEngine, False, True, [[1], [2], [3]], id="they do not"),
    pytest.param(ChoosyEngine, False, False, [[1], [2], [3]], id="last digits do not matter"),
    pytest.param(EchoEngine, True, False, [[1, 2, 3]], id="an urgent batch"),
]


@pytest.mark.parametrize(("kind", "urgent", "exact", "batches"), WHOLE)
def test_which_batches_stay_whole(
    kind: type[EchoEngine], urgent: bool, exact: bool, batches: list[list[int]]
) -> None:
    engine = kind(4)
    turns = Turns(engine)
    turns.speech = SpeechTimes(100.0, 100.0)
    turns.view(urgent=urgent, exact=exact).run(windows(1, 2, 3))
    assert engine.batches == batches


@given(
    values=st.lists(st.integers(0, 99), min_size=1, max_size=16),
    spoke_s=st.sampled_from([0.0, 99.0]),
    fed_s=st.sampled_from([0.0, 99.0]),
)
def test_results_are_the_same_in_pieces(values: list[int], spoke_s: float, fed_s: float) -> None:
    turns = Turns(EchoEngine(16))
    turns.speech = SpeechTimes(fed_s, spoke_s)
    assert texts(turns.view(urgent=False).run(windows(*values))) == values


def test_an_error_in_a_piece_is_that_of_the_batch() -> None:
    turns = Turns(EchoEngine(4))
    turns.speech = SpeechTimes(100.0, 100.0)
    with pytest.raises(EngineError, match="poisoned"):
        turns.view(urgent=False).run(windows(1, POISON, 2))
    assert texts(turns.view(urgent=True).run(windows(3))) == [3]


def test_several_batches_in_flight_pass_through() -> None:
    engine = PipelinedEcho(4)
    view = Turns(engine).view(urgent=False)
    assert view.batches_in_flight == 2
    first, second = view.begin(windows(1)), view.begin(windows(2))
    assert texts(view.finish(second)) == [2]
    assert texts(view.finish(first)) == [1]
    view.abandon(third := view.begin(windows(3)))
    assert engine.abandoned == [third]


class Caller(threading.Thread):
    """Runs one batch in a thread of its own."""

    def __init__(self, turns: EngineTurns, *values: float, urgent: bool) -> None:
        super().__init__(daemon=True)
        self.view, self.values, self.heard = turns.view(urgent=urgent), values, [-1]
        self.start()

    def run(self) -> None:
        self.heard = texts(self.view.run(windows(*self.values)))

    def ends_with(self, *values: int) -> None:
        self.join(ENDS_S)
        assert self.heard == list(values)


def wait_until_waiting(turns: EngineTurns, *, urgent: int = 0, files: int = 0) -> None:
    with turns._changed:
        assert turns._changed.wait_for(
            lambda: (turns._urgent_waiting, turns._files_waiting) == (urgent, files), ENDS_S
        )


def test_who_is_urgent_comes_between_the_pieces_of_a_file() -> None:
    engine = EchoEngine(4)
    engine.gate.clear()
    turns = Turns(engine)
    turns.speech = SpeechTimes(100.0, 100.0)
    file = Caller(turns, 1, 2, 3, urgent=False)
    engine.entered.acquire()
    live = Caller(turns, 9, urgent=True)
    wait_until_waiting(turns, urgent=1)
    engine.gate.set()
    live.ends_with(9)
    file.ends_with(1, 2, 3)
    assert engine.batches == [[1], [9], [2], [3]]


def test_the_time_that_speech_waits_for_the_engine_does_not_count() -> None:
    engine = EchoEngine(4)
    engine.gate.clear()
    turns = Turns(engine)
    turns.speech = SpeechTimes(fed_s=99.0, spoke_s=99.0)
    live = Caller(turns, 9, urgent=True)
    engine.entered.acquire()
    file = Caller(turns, 1, 2, urgent=False)
    wait_until_waiting(turns, files=1)
    turns.now += 10 * SPEAKING_S
    engine.gate.set()
    live.ends_with(9)
    file.ends_with(1, 2)
    assert engine.batches == [[9], [1], [2]]


def test_a_file_has_its_turn_among_many_urgent_batches() -> None:
    engine = EchoEngine(4)
    engine.gate.clear()
    turns = Turns(engine)
    first = Caller(turns, 0, urgent=True)
    engine.entered.acquire()
    file = Caller(turns, 50, urgent=False)
    wait_until_waiting(turns, files=1)
    others = [Caller(turns, value, urgent=True) for value in range(1, 2 * URGENT_IN_A_ROW)]
    wait_until_waiting(turns, urgent=len(others), files=1)
    engine.gate.set()
    for caller in [first, file, *others]:
        caller.join(ENDS_S)
    file.ends_with(50)
    order = [batch[0] for batch in engine.batches]
    assert order.index(50) == URGENT_IN_A_ROW


@pytest.mark.parametrize("urgent", [True, False])
def test_many_callers_get_what_is_theirs(urgent: bool) -> None:
    turns = Turns(EchoEngine(4))
    turns.speech = SpeechTimes(100.0, 100.0)
    callers = [
        Caller(turns, number, 50 + number, urgent=urgent or number % 2 == 0) for number in range(16)
    ]
    for number, caller in enumerate(callers):
        caller.ends_with(number, 50 + number)
