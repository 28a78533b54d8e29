"""Segments in order, without overlaps, and with all of their text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.pauses.ordering import in_order, spaced
from quest22.records import Segment, Word


def segment(start_s: float, end_s: float, text: str, **fields: object) -> Segment:
    return Segment(start_s, end_s, text, tokens=(len(text),), **fields)


@pytest.mark.parametrize(
    ("given_segments", "expected"),
    [
        ([], []),
        ([(0, 2, " a"), (2, 4, " b")], [(0, 2, " a"), (2, 4, " b")]),
        ([(3, 4, " b"), (0, 2, " a")], [(0, 2, " a"), (3, 4, " b")]),
        ([(0, 3, " a"), (2, 4, " b")], [(0, 2, " a"), (2, 4, " b")]),
        ([(0, 9, " a"), (2, 4, " b"), (3, 5, " c")], [(0, 2, " a"), (2, 3, " b"), (3, 5, " c")]),
        ([(0, 3, " a"), (0, 4, " b")], [(0, 4, " a b")]),
        ([(0, 3, " a"), (0, 2, "b")], [(0, 3, " a b")]),
        ([(1, 1, " a"), (1, 2, " b")], [(1, 1, " a"), (1, 2, " b")]),
    ],
)
def test_order(
    given_segments: list[tuple[float, float, str]], expected: list[tuple[float, float, str]]
) -> None:
    found = in_order([segment(*each) for each in given_segments])
    assert [(each.start_s, each.end_s, each.text) for each in found] == expected
    tokens = [token for each in found for token in each.tokens]
    assert sorted(tokens) == sorted(len(text) for _, _, text in given_segments)


def test_words_stay_within_their_segment() -> None:
    first = segment(0, 3, " a b", words=(Word(0, 1, " a", 1), Word(1.5, 3, " b", 1)))
    second = segment(1, 4, " c", words=(Word(1, 4, " c", 1),))
    shortened, unchanged = in_order([first, second])
    assert shortened.words == (Word(0, 1, " a", 1), Word(1, 1, " b", 1))
    assert unchanged == second


def test_joined_segments_have_the_words_of_both() -> None:
    first = segment(0, 3, " a", words=(Word(0, 3, " a", 1),))
    second = segment(0, 4, "b c", words=(Word(0, 1, "b", 1), Word(1, 4, " c", 1)))
    (joined,) = in_order([first, second])
    assert joined.text == " a b c"
    assert joined.words == (Word(0, 3, " a", 1), Word(3, 3, " b", 1), Word(3, 4, " c", 1))


@st.composite
def segments_with_words(draw: st.DrawFn) -> Segment:
    """Its words are in order and within it, and make its text."""
    times = sorted(draw(st.lists(st.integers(0, 40), min_size=2, max_size=8)))
    words = tuple(
        Word(start_s, end_s, f" {start_s}-{end_s}", 1.0)
        for start_s, end_s in zip(times[::2], times[1::2], strict=False)
    )
    text = "".join(word.text for word in words)
    return segment(words[0].start_s, words[-1].end_s, text, words=words)


@given(st.lists(segments_with_words(), max_size=8))
def test_everything_is_kept_in_order(given_segments: list[Segment]) -> None:
    found = in_order(given_segments)
    assert all(before.end_s <= after.start_s for before, after in pairwise(found))
    assert sorted("".join(each.text for each in found).split()) == sorted(
        word.text.strip() for each in given_segments for word in each.words or ()
    )
    for each in found:
        assert each.start_s <= each.end_s
        assert each.text == "".join(word.text for word in each.words)
        times = [time_s for word in each.words for time_s in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert each.start_s <= times[0] <= times[-1] <= each.end_s


@pytest.mark.parametrize(
    ("text", "language", "before", "expected"),
    [
        ("b", "en", "a", " b"),
        (" b", "en", "a", " b"),
        ("b", "en", "a ", "b"),
        ("b", None, "a", " b"),
        ("b", "ja", "a", "b"),
        ("b", "zh", "a", "b"),
    ],
)
def test_a_space_separates_texts(text: str, language: str, before: str, expected: str) -> None:
    word = Word(0, 1, text, 1.0)
    made = spaced(segment(0, 1, text, language=language, words=(word,)), before)
    assert made.text == expected
    assert [each.text for each in made.words] == [expected]
    assert spaced(segment(0, 1, text, language=language), before).words is None
