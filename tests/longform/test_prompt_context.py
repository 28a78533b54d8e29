from __future__ import annotations

import pytest

from quest22.longform.prompt_context import MOST_PREVIOUS, PreviousText, PromptContext
from quest22.settings import DecodingSettings
from tests.support.listening import NUMBERS


def context(**asked: object) -> PromptContext:
    return PromptContext.of(DecodingSettings(**asked), NUMBERS)  # type: ignore[arg-type]


def test_the_text_so_far_follows_the_initial_prompt() -> None:
    previous = PreviousText(context(initial_prompt="1 2"))
    assert previous.prompt() == (1, 2)
    previous.add([3, 4], 0.0)
    assert previous.prompt() == (1, 2, 3, 4)


@pytest.mark.parametrize(("temperature", "kept"), [(0.4, True), (0.5, True), (0.6, False)])
def test_a_text_heard_at_a_high_temperature_is_not_built_on(temperature: float, kept: bool) -> None:
    previous = PreviousText(context(initial_prompt="1"))
    previous.add([2], temperature)
    assert previous.prompt() == ((1, 2) if kept else ())
    previous.add([3], 0.0)
    assert previous.prompt() == ((1, 2, 3) if kept else (3,))


def test_without_conditioning_each_window_stands_alone() -> None:
    previous = PreviousText(context(initial_prompt="1", condition_on_previous_text=False))
    previous.add([2], 0.0)
    assert previous.prompt() == ()


def test_an_initial_prompt_that_is_carried_stays_in_front() -> None:
    previous = PreviousText(context(initial_prompt="1 2", carry_initial_prompt=True))
    previous.add(range(100, 500), 0.0)
    assert previous.prompt() == (1, 2, *range(500 - MOST_PREVIOUS + 2, 500))
    previous.add([7], 0.8)
    assert previous.prompt() == (1, 2)


def test_hotwords_stand_in_front_and_leave_room_for_the_end() -> None:
    previous = PreviousText(context(hotwords="8 9"))
    assert previous.prompt() == (8, 9)
    previous.add(range(100, 500), 0.0)
    assert previous.prompt() == (8, 9, *range(500 - MOST_PREVIOUS + 2, 500))


def test_a_prompt_of_blanks_is_none() -> None:
    assert context(initial_prompt="  ", hotwords="").alone() == ()
