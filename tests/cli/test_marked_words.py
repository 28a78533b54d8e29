from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.cli.marked_words import compare, marked, shortened
from quest22.evaluation.normalise import basic
from quest22.evaluation.score import word_errors
from quest22.evaluation.word_diff import DiffSpan


@pytest.mark.parametrize(
    ("reference", "text", "kinds"),
    [
        ("The cat sat.", "the cat, sat", ["equal"]),
        ("a b c", "a x c", ["equal", "substitute", "equal"]),
        ("a b c", "a c", ["equal", "delete", "equal"]),
        ("a c", "a b c", ["equal", "insert", "equal"]),
        ("a", "", ["delete"]),
        ("", "a", ["insert"]),
        ("", "", []),
        ("— !", "…", []),
    ],
)
def test_kinds(reference, text, kinds):
    assert [stretch.kind for stretch in compare(reference, text)] == kinds


def test_words_keep_their_spelling_and_get_their_colour():
    said, heard = marked(compare("The cat sat, down.", "the cat sad sat down"))
    assert (said.plain, heard.plain) == ("The cat sat, down.", "the cat sad sat down")
    (coloured,) = [span for span in heard.spans if "magenta" in str(span.style)]
    assert heard.plain[coloured.start : coloured.end].strip() == "sad"


_TEXT = st.lists(st.sampled_from(["a", "B,", "c", "—", "Да!"]), max_size=12).map(" ".join)


@given(_TEXT, _TEXT)
def test_no_word_is_lost_and_errors_are_those_of_the_score(reference, text):
    stretches = compare(reference, text)
    for whole, side in ((reference, "said"), (text, "heard")):
        words = [word for stretch in stretches for word in getattr(stretch, side)]
        assert words == [word for word in whole.split() if basic(word).strip()]
    wrong = sum(
        max(len(stretch.said), len(stretch.heard))
        for stretch in stretches
        if stretch.kind != "equal"
    )
    assert wrong == word_errors(reference, text).errors


def test_long_texts_are_cut_where_they_agree():
    words = tuple(f"w{index}" for index in range(60))
    short = compare("a b c", "a b c")
    assert shortened(short) == short
    (equal, wrong) = shortened([DiffSpan("equal", words, words), DiffSpan("insert", (), words)])
    assert equal.heard == (*words[:5], "… 50 words …", *words[-5:])
    assert wrong.heard == words
