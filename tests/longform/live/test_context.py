from __future__ import annotations

from quest22.longform.live.context import MOST_PREFIX, Context, ContextRules, Past
from quest22.longform.live.words import HeardWord


def word(token: int, start_s: float, length_s: float = 0.5, tokens: int = 1) -> HeardWord:
    return HeardWord(f" {token}", (token,) * tokens, start_s, start_s + length_s, 0.9)


def line(start_s: float, count: int) -> list[HeardWord]:
    return [word(at, start_s + 0.5 * at) for at in range(count)]


def test_a_segment_without_a_past_begins_where_it_begins() -> None:
    span = Context().span([], 3.0, 5.0, window_s=12.0)
    assert span == (3.0, ())


def test_earlier_words_are_known_words_of_the_window() -> None:
    past = Past(ContextRules())
    past.add(line(1.0, 4), "en", 0.8)
    context = past.before(3.5)
    start_s, known = context.span([word(9, 3.6)], 3.5, 6.0, window_s=12.0)
    assert [each.tokens for each in known] == [(0,), (1,), (2,), (3,), (9,)]
    assert start_s == 0.8


def test_a_segment_is_not_told_that_the_one_before_ended_a_sentence() -> None:
    past = Past(ContextRules())
    past.add([HeardWord(" well.", (7, 8), 1.0, 1.5, 0.9, marks=1)] * 2, "en", 0.8)
    assert [each.tokens for each in past.before(2.0).words] == [(7, 8), (7,)]


def test_the_mark_that_is_left_open_is_known() -> None:
    past = Past(ContextRules())
    past.add([HeardWord(" well.", (7, 8), 1.0, 1.5, 0.9, marks=1)], "en", 0.8)
    assert past.before(2.0).mark == (8,)
    assert past.before(9.0).mark == ()  # its sound is in no window
    past.add([HeardWord(" well", (7,), 9.0, 9.5, 0.9)], "en", 8.8)
    assert past.before(10.0).mark == ()


def test_windows_roll_over_the_last_seconds() -> None:
    start_s, known = Context().span(line(0.0, 40), 0.0, 20.0, window_s=6.0)
    assert known[0].start_s == 14.0
    assert start_s == 14.0


def test_a_window_begins_a_little_before_its_first_word_where_nothing_is_said() -> None:
    own = [word(0, 1.0), word(1, 3.0)]
    assert Context().span(own, 0.5, 8.0, window_s=6.0).start_s == 2.8


def test_the_uncertain_sound_is_always_in_the_window() -> None:
    span = Context().span(line(0.0, 4), 0.0, 30.0, window_s=6.0)
    assert span == (0.0, ()) or span.start_s == 2.0


def test_a_prefix_leaves_room_for_more_tokens() -> None:
    own = [word(at, 0.5 * at, tokens=50) for at in range(6)]
    known = Context().span(own, 0.0, 3.0, window_s=12.0).known
    assert sum(len(each.tokens) for each in known) <= MOST_PREFIX


def test_sound_from_before_a_long_pause_is_not_used() -> None:
    past = Past(ContextRules(prompt_letters=200))
    past.add(line(1.0, 2), "en", 0.8)
    context = past.before(5.0)
    assert context.words == ()
    assert context.previous == (0, 1)
    past.add(line(5.0, 2), "en", 4.8)
    assert [each.start_s for each in past.before(6.5).words] == [5.0, 5.5]


def test_the_past_is_forgotten() -> None:
    past = Past(ContextRules(prompt_letters=200))
    past.add(line(1.0, 2), "en", 0.8)
    assert past.before(13.0) == Context()
    past.add(line(1.0, 2), "en", 0.8)
    past.add(line(3.0, 1), "de", 2.8)
    assert [each.start_s for each in past.words] == [3.0]
    past.forget()
    assert past.before(4.0) == Context()


def test_the_past_does_not_grow() -> None:
    past = Past(ContextRules())
    for number in range(100):
        past.add(line(10.0 * number, 10), "en", 10.0 * number)
    assert len(past.words) < 30
