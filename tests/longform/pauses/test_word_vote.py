"""Words of several hypotheses vote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.pauses.word_vote import split, vote, with_votes
from quest22.records import Segment, Word

TEXTS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "a", "mat"]), max_size=8)


class Letters:
    """A vocabulary whose tokens are code points."""

    eot = timestamp_begin = 0x110000

    def decode(self, tokens):
        return "".join(map(chr, tokens))

    def encode(self, text):
        return [*map(ord, text)]


@pytest.mark.parametrize(
    ("first", "others", "combined"),
    [
        ("the cat sat", ["the cat sat", "the mat sat"], "the cat sat"),
        ("the cat sat", ["the mat sat", "the mat sat"], "the mat sat"),
        ("the cat sat", ["the mat sat", "the hat sat"], "the cat sat"),
        ("the cat sat", ["the cat", "the cat"], "the cat"),
        ("the cat", ["the cat sat", "the cat sat"], "the cat sat"),
        ("cat sat", ["the cat sat", "the cat sat"], "the cat sat"),
        ("the cat sat", ["the cat sat", "the cat sat, down"], "the cat sat"),
        ("The cat.", ["the cat", "the cat"], "The cat."),
        ("", ["the cat", "the cat"], ""),
        ("the cat", ["", ""], ""),
        ("the cat", ["", "the cat"], "the cat"),
        ("the cat", [], "the cat"),
    ],
)
def test_the_majority_decides(first, others, combined):
    voted = vote(first.split(), [other.split() for other in others])
    assert " ".join(word for place in voted for word in place) == combined


@given(first=TEXTS, other=TEXTS)
def test_two_alike_outvote_a_third(first, other):
    voted = vote(first, [other, other])
    assert [word for place in voted for word in place] == (other if first else [])


@given(first=TEXTS, other=TEXTS)
def test_one_alone_changes_nothing(first, other):
    assert vote(first, [other]) == [(word,) for word in first]


def test_characters_vote_where_words_have_no_spaces():
    assert split(" 你好 AI", "zh") == ["你", "好", " ", "A", "I"]
    segments = [Segment(0, 1, "你好吗", language="zh")]
    (voted,) = with_votes(segments, ["您好吗", "您好吗"], "zh", Letters())
    assert voted.text == "您好吗"


def test_segments_keep_their_words_and_times():
    words = (Word(0, 0.4, " the", 0.9), Word(0.4, 1, " cat.", 0.5))
    segments = [
        Segment(0, 1, " the cat.", words=words),
        Segment(2, 3, " It sat", words=(Word(2, 2.5, " It", 1), Word(2.5, 3, " sat", 1))),
    ]
    texts = ["The big cats. It sat", "The big cats. It sat"]
    first, second = with_votes(segments, texts, "en", Letters())
    assert (first.text, second) == (" the big cats.", segments[1])
    assert [(each.text, each.start_s, each.end_s) for each in first.words] == [
        (" the", 0, 0.4),
        (" big", 0.4, 0.7),
        (" cats.", 0.7, 1),
    ]
    assert first.tokens == tuple(map(ord, " the big cats."))


def test_a_segment_without_words_goes():
    segments = [Segment(0, 1, " so"), Segment(1, 2, " it goes")]
    voted = with_votes(segments, ["it goes", "it goes"], "en", Letters())
    assert [each.text for each in voted] == [" it goes"]
