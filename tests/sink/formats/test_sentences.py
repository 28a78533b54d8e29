from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.records import Segment, Word
from quest22.sink.formats.sentences import by_sentence, ends_sentence


@pytest.mark.parametrize(
    ("word", "following", "ends"),
    [
        (" home.", " Then", True),
        (" home", " Then", False),
        (" home,", " Then", False),
        (" what?", " no", False),
        (" what?!", " No", True),
        (' home."', " Then", True),
        (" home.", ' "Then', True),
        (" home…", " but", False),
        (" Dr.", " No", False),
        (" ул.", " Ленина", False),
        (" J.", " Smith", False),
        (" 3.", " May", True),
        ("好。", "我", True),
        (" .", " Then", True),
    ],
)
def test_ends_of_sentences(word, following, ends):
    assert ends_sentence(word, following) is ends


def spoken(*texts: str, start_s: float = 0.0) -> Segment:
    words = tuple(
        Word(start_s + place, start_s + place + 0.5, text, 0.5) for place, text in enumerate(texts)
    )
    return Segment(start_s, start_s + len(texts), "".join(texts), words=words)


def told(segments):
    return [(each.start_s, each.end_s, each.text) for each in by_sentence(segments)]


def test_sentences_cross_segments_and_part_them():
    segments = [spoken(" One", " two."), spoken(" Three.", " Four", start_s=5), spoken(" five")]
    segments[2] = spoken(" five.", start_s=9)
    assert told(segments) == [(0, 1.5, " One two."), (5, 5.5, " Three."), (6, 9.5, " Four five.")]


def test_segments_without_words_stay():
    bare = Segment(3.0, 4.0, " One. Two.")
    assert told([bare]) == [(3.0, 4.0, " One. Two.")]
    assert told([spoken(" a"), bare, spoken(" b", start_s=5)]) == [
        (0, 0.5, " a"),
        (3.0, 4.0, " One. Two."),
        (5, 5.5, " b"),
    ]


TEXTS = st.lists(st.sampled_from([" a", " B", " c.", " D?", "!", " e…", " Mr."]), max_size=6)


@given(st.lists(TEXTS, max_size=5))
def test_no_word_is_lost_or_moved(texts):
    segments = [spoken(*each, start_s=10.0 * place) for place, each in enumerate(texts)]
    words = [word for segment in segments for word in segment.words or ()]
    found = list(by_sentence(segments))
    assert [word for segment in found for word in segment.words or ()] == words
    assert all(segment.words for segment in found)
