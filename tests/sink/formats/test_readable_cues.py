"""Cues short enough to read: small cases, and what holds for all segments."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.records import Segment, Word
from quest22.sink.formats.line_breaks import unbroken, width
from quest22.sink.formats.readable_cues import MAX_CUE_S, MIN_CUE_S, readable_cues


def segment(text: str, start_s: float = 0.0, end_s: float = 6.0) -> Segment:
    return Segment(start_s, end_s, text)


def shown(*segments: Segment, length: int = 84, duration_s: float = 60.0):
    cues = readable_cues(segments, length, duration_s)
    return [(round(cue.start_s, 2), round(cue.end_s, 2), cue.text) for cue in cues]


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        (" One line.", 84, ["One line."]),
        (" Lines of one length, or nearly so.", 60, ["Lines of one length,\nor nearly so."]),
        (" It rains, so we went home by train.", 30, ["It rains,", "so we went\nhome by train."]),
        (" He left. She stayed where she was.", 30, ["He left.", "She stayed\nwhere she was."]),
        (" a Donaudampfschifffahrt b", 10, ["a", "Donaudampfschifffahrt", "b"]),
        ("今天天气很好，我们去公园散步。", 20, ["今天天\n气很好，", "我们去公\n园散步。"]),
        ("  \n ", 84, []),
    ],
)
def test_text_is_split_at_the_best_places(text, length, expected):
    assert [cue for _, _, cue in shown(segment(text), length=length)] == expected


def test_times_without_words_are_in_proportion_to_characters():
    text = " " + "a" * 39 + "," + " " + "b" * 19 + "." + " " + "C" * 39 + "."
    assert shown(segment(text, 1.0, 6.1)) == [
        (1.0, 4.07, f"{'a' * 39},\n{'b' * 19}."),
        (4.07, 6.1, f"{'C' * 39}."),
    ]


def spoken(*words: tuple[float, float, str]) -> Segment:
    made = tuple(Word(*word, 0.5) for word in words)
    text = "".join(word.text for word in made)
    return Segment(made[0].start_s, made[-1].end_s, text, words=made)


def test_times_are_those_of_words():
    talk = spoken((0, 1, " one"), (1, 2, " two,"), (3, 4, " three"), (4, 9, " four"))
    assert shown(talk) == [(0, 2, "one two,"), (3, 9, "three four")]


def test_words_that_do_not_hold_the_text_give_no_times():
    words = (Word(3.0, 4.0, " b", 0.5),)
    assert shown(Segment(0.0, 5.0, " a b", words=words)) == [(0, 5, "a b")]


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([segment(" a", 0, 0.3), segment(" b", 2, 4)], [(0, MIN_CUE_S, "a"), (2, 4, "b")]),
        ([segment(" a", 0, 0.3), segment(" b", 0.5, 4)], [(0, 0.5, "a"), (0.5, 4, "b")]),
        ([segment(" a", 0, 5), segment(" b", 4, 6)], [(0, 4, "a"), (4, 6, "b")]),
        ([segment(" a", 2, 5), segment(" b", 1, 6)], [(2, 2.8, "a"), (2.8, 6, "b")]),
        ([segment(" a", 9.5, 9.7)], [(9.5, 10, "a")]),
        ([segment(" a", 0, 9)], [(0, MAX_CUE_S, "a")]),
        ([segment(" a", 0.1, 7.1)], [(0.1, 7.1, "a")]),
        ([], []),
    ],
)
def test_cues_are_apart_and_neither_too_short_nor_too_long(segments, expected):
    assert shown(*segments, duration_s=10.0) == expected


LONG_WORD = " Donaudampfschifffahrt"
PIECES = st.sampled_from(
    [" a", " the", " and", " words,", " end.", " ещё", LONG_WORD, " 12", "今", "天。", " !"]
)


@st.composite
def talks(draw: st.DrawFn) -> list[Segment]:
    """Segments, some with words; most follow one another, some overlap."""
    segments, at = [], 0.0
    for _ in range(draw(st.integers(1, 4))):
        words = []
        for text in draw(st.lists(PIECES, min_size=1, max_size=30)):
            start_s = at + draw(st.sampled_from([0.0, 0.0, 0.2, 2.0]))
            at = start_s + draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 8.0]))
            words.append(Word(start_s, at, text, 0.5))
        text = "".join(word.text for word in words)
        kept = draw(st.sampled_from([tuple(words), None]))
        segments.append(Segment(words[0].start_s, at, text, words=kept))
        at -= draw(st.sampled_from([0.0, 0.0, 1.0]))
    return segments


def bare(text: str) -> str:
    return "".join(text.split())


@given(talks(), st.integers(8, 90))
def test_cues_keep_all_text_and_keep_the_limits(segments, length):
    cues = readable_cues(segments, length, segments[-1].end_s)
    assert bare("".join(cue.text for cue in cues)) == bare("".join(each.text for each in segments))
    assert all(0 <= cue.end_s - cue.start_s <= MAX_CUE_S + 1e-6 for cue in cues)
    assert all(one.end_s <= other.start_s for one, other in pairwise(cues))
    for cue in cues:
        lines = cue.text.split("\n")
        assert len(lines) <= 2
        alone = len(unbroken(cue.text)) == 1
        assert alone or all(width(line) <= length // 2 for line in lines)
