import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.bench.live.reference import SpokenWord
from quest22.bench.live.score import lost_tails, score
from quest22.bench.live.timeline import Timeline, Update

WORDS = ("river", "stone", "window", "garden", "yellow", "market", "silver", "winter")


def said(*texts: str, utterance: int = 0, begin_s: float = 0.0) -> list[SpokenWord]:
    return [SpokenWord(text, begin_s + 1.0 + at, utterance) for at, text in enumerate(texts)]


def committed_one_by_one(
    words: list[SpokenWord], delay_s: float, *, tail_s: float | None = None
) -> list[Update]:
    """Each word is committed ``delay_s`` after its end; on show ``tail_s`` after it, if given."""
    updates = []
    for at, word in enumerate(words):
        assert word.end_s is not None
        if tail_s is not None:
            updates.append(Update(word.end_s + tail_s, 0, at, tail=(word.text,)))
        updates.append(Update(word.end_s + delay_s, 0, at, (word.text,)))
    return updates


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=25)
delays = st.floats(0.0, 5.0)


@given(texts=texts, delay_s=delays)
def test_a_constant_delay_is_each_words_delay(texts: list[str], delay_s: float):
    words = said(*texts)
    found = score(words, Timeline(committed_one_by_one(words, delay_s)))
    assert [each.word for each in found.words] == words
    for each in found.words:
        assert each.committed_s - each.end_s == pytest.approx(delay_s)
        assert each.shown_s == each.committed_s
    assert found.errors.errors == found.committed_errors.errors == found.withdrawn == 0
    assert not found.lost_tails


@given(texts=texts, shown_s=st.floats(0.0, 0.4), later_s=st.floats(0.0, 0.5))
def test_a_word_counts_as_shown_from_its_first_tail(
    texts: list[str], shown_s: float, later_s: float
):
    words = said(*texts)
    updates = committed_one_by_one(words, shown_s + later_s, tail_s=shown_s)
    for each in score(words, Timeline(updates)).words:
        assert each.shown_s - each.end_s == pytest.approx(shown_s)
        assert each.committed_s - each.end_s == pytest.approx(shown_s + later_s)


@given(
    count=st.integers(3, 20),
    delay_s=st.floats(0.0, 0.9),
    edit=st.sampled_from(["lost", "wrong", "extra"]),
    place=st.integers(0, 19),
)
def test_an_error_does_not_change_the_delays_of_other_words(
    count: int, delay_s: float, edit: str, place: int
):
    place %= count
    changed = chr(97 + place) * 2 + "o"
    words = said(*(chr(97 + at) * 2 + "o" for at in range(count)))
    out: list[Update] = []
    for update in committed_one_by_one(words, delay_s):
        text, is_place = update.committed[0], update.committed[0] == changed
        kept = sum(len(each.committed) for each in out)
        heard = {"lost": (), "wrong": ("other",), "extra": ("other", text)}[edit]
        out.append(Update(update.at_s, 0, kept, heard if is_place else (text,)))
    found = score(words, Timeline(out))
    right = words if edit == "extra" else [word for word in words if word.text != changed]
    assert [each.word for each in found.words] == right
    for each in found.words:
        assert each.committed_s - each.end_s == pytest.approx(delay_s)
    assert found.errors.errors == 1
    assert found.lost_tails == ((0,) if edit == "lost" and place == count - 1 else ())


@given(seed=st.integers(0, 999), lost=st.integers(0, 5))
def test_repeated_words_are_told_apart_by_the_clock(seed: int, lost: int):
    """One of six equal words is lost; no other word's delay changes."""
    chosen = random.Random(seed)
    words = said(*["again"] * 6)
    out = [
        Update(word.end_s + chosen.uniform(0, 0.4), 0, number, ("again",))
        for number, word in enumerate(words[:lost] + words[lost + 1 :])
        if word.end_s is not None
    ]
    found = score(words, Timeline(out))
    assert [each.word for each in found.words] == words[:lost] + words[lost + 1 :]
    assert all(0 <= each.committed_s - each.end_s <= 0.4 for each in found.words)


def test_a_word_that_disappears_counts_from_when_it_comes_back():
    words = said("silver", "river")
    updates = [
        Update(1.2, 0, 0, tail=("silver",)),
        Update(1.6, 0, 0, tail=("sliver",)),
        Update(2.2, 0, 0, tail=("silver", "river")),
        Update(3.0, 0, 0, ("silver", "river"), final=True),
    ]
    found = score(words, Timeline(updates))
    assert [each.shown_s for each in found.words] == [2.2, 2.2]
    assert [each.committed_s for each in found.words] == [3.0, 3.0]
    assert found.withdrawn == 2  # silver for sliver, sliver for silver


def test_a_tail_shows_a_word_at_its_place_only():
    words = said("stone", "garden", "stone")
    updates = [
        Update(1.1, 0, 0, tail=("stone",)),
        Update(3.1, 0, 0, tail=("stone", "garden", "stone")),
        Update(3.5, 0, 0, ("stone", "garden", "stone"), final=True),
    ]
    assert [each.shown_s for each in score(words, Timeline(updates)).words] == [1.1, 3.1, 3.1]


def test_a_tail_with_an_error_shows_the_words_after_it():
    words = said("stone", "garden", "winter")
    updates = [
        Update(2.5, 0, 0, tail=("stones", "garden")),
        Update(3.5, 0, 0, ("stone", "garden", "winter"), final=True),
    ]
    assert [each.shown_s for each in score(words, Timeline(updates)).words] == [3.5, 2.5, 3.5]


def test_case_punctuation_and_contractions_are_no_errors():
    words = said("Don't", "stop,", "Winter!")
    updates = [Update(4.0, 0, 0, ("do", "not", "stop", "winter"), final=True)]
    found = score(words, Timeline(updates))
    assert [each.word for each in found.words] == words
    assert found.errors.errors == 0


def test_the_end_of_an_utterance_is_final_with_its_segment():
    words = [*said("river", "stone"), *said("garden", utterance=1, begin_s=4.0)]
    updates = [
        Update(2.1, 0, 0, ("river",), ("stone",)),
        Update(2.4, 0, 1, ("stones",), final=True),  # wrong, but in its place
        Update(5.2, 1, 0, ("garden",)),
        Update(5.5, 1, 1, final=True),
    ]
    found = score(words, Timeline(updates))
    assert [each.final_s - each.end_s for each in found.ends] == pytest.approx([0.4, 0.5])
    assert not found.lost_tails


def test_without_segments_an_utterance_is_final_with_its_last_word():
    words = said("river", "stone")
    updates = [Update(2.1, 0, 0, ("river",), ("stone",)), Update(4.0, 0, 1, ("stone",))]
    (end,) = score(words, Timeline(updates)).ends
    assert (end.end_s, end.final_s) == (2.0, 4.0)


def test_a_lost_tail_is_the_utterances_last_word_missing():
    words = [
        *said("river", "stone"),
        *said("garden", "winter", utterance=1, begin_s=4.0),
        *said("yellow", utterance=2, begin_s=8.0),
    ]
    updates = [
        Update(2.4, 0, 0, ("river", "stone"), final=True),
        Update(6.4, 1, 0, ("garden",), final=True),
        Update(9.4, 2, 0, ("yellow",), final=True),
    ]
    found = score(words, Timeline(updates))
    assert found.lost_tails == (1,)
    assert found.utterances == 3
    assert len(found.ends) == 2
    assert lost_tails(words, "River stone. Garden. Yellow.", "en") == [1]


def test_errors_of_committed_words_are_counted_without_what_only_the_final_brought():
    words = said("river", "stone", "garden", "winter")
    updates = [
        Update(2.5, 0, 0, ("river", "bone")),
        Update(4.5, 0, 2, ("garden", "winner"), final=True),
    ]
    found = score(words, Timeline(updates))
    assert (found.errors.errors, found.errors.total) == (2, 4)
    assert (found.committed_errors.errors, found.committed_errors.total) == (1, 2)


def test_words_before_the_first_committed_one_are_missing_from_the_committed_text():
    words = said("river", "stone", "garden")
    updates = [Update(2.5, 0, 0, ("stone",)), Update(4.5, 0, 1, ("garden",), final=True)]
    found = score(words, Timeline(updates))
    assert (found.committed_errors.deletions, found.committed_errors.total) == (1, 2)


def test_words_without_a_known_end_have_no_delay():
    words = [SpokenWord("river", 1.0, 0), SpokenWord("stone", None, 0), SpokenWord("hill", 3.0, 0)]
    updates = [Update(4.0, 0, 0, ("river", "stone", "hill"), final=True)]
    found = score(words, Timeline(updates))
    assert [each.word.text for each in found.words] == ["river", "hill"]
    assert found.said == 2


def test_words_where_nobody_speaks_are_insertions():
    found = score([], Timeline([Update(2.0, 0, 0, ("thank", "you"), final=True)]))
    assert found.errors.insertions == 2
    assert not found.words
    assert not found.ends


def test_scores_of_sessions_add_up():
    words = said("river", "stone")
    one = score(words, Timeline(committed_one_by_one(words, 0.5)))
    both = one + one
    assert len(both.words) == 4
    assert (both.said, both.utterances, both.errors.total) == (4, 2, 4)
