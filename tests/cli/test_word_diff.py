from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.cli.word_diff import aligned_lines, coloured, compare, shorten_equal_runs
from quest22.evaluation.normalise import basic
from quest22.evaluation.score import word_errors
from quest22.evaluation.word_diff import DiffSpan, align_words


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
    assert [span.kind for span in compare(reference, text)] == kinds


def test_words_keep_their_spelling_and_get_their_colour():
    said, heard = coloured(compare("The cat sat, down.", "the cat sad sat down"))
    assert (said.plain, heard.plain) == ("The cat sat, down.", "the cat sad sat down")
    (inserted,) = [span for span in heard.spans if "magenta" in str(span.style)]
    assert heard.plain[inserted.start : inserted.end].strip() == "sad"


_TEXT = st.lists(st.sampled_from(["a", "B,", "c", "—", "Да!"]), max_size=12).map(" ".join)


@given(_TEXT, _TEXT)
def test_no_word_is_lost_and_errors_are_those_of_the_score(reference, text):
    spans = compare(reference, text)
    for whole, side in ((reference, "reference"), (text, "hypothesis")):
        words = [word for span in spans for word in getattr(span, side)]
        assert words == [word for word in whole.split() if basic(word).strip()]
    wrong = sum(
        max(len(span.reference), len(span.hypothesis)) for span in spans if span.kind != "equal"
    )
    assert wrong == word_errors(reference, text).errors


def test_texts_without_spaces_are_aligned_by_characters():
    spans = compare("東京 です。", "東京だ", "character")
    assert next((span.kind, span.reference) for span in spans) == ("equal", ("東", "京"))
    said, heard = coloured(spans, "")
    assert (said.plain, heard.plain) == ("東京です", "東京だ")


def test_long_texts_are_cut_where_they_agree():
    words = tuple(f"w{index}" for index in range(60))
    short = compare("a b c", "a b c")
    assert shorten_equal_runs(short) == short
    (equal, wrong) = shorten_equal_runs(
        [DiffSpan("equal", words, words), DiffSpan("insert", (), words)]
    )
    assert equal.hypothesis == (*words[:5], "… 50 words …", *words[-5:])
    assert wrong.hypothesis == words


def shown(said: str, heard: str, width: int = 80) -> list[str]:
    return [line.plain for line in aligned_lines(align_words(said.split(), heard.split()), width)]


def test_each_kind_of_error_can_be_seen_without_colour():
    assert shown("the quick brown fox", "the brick early brown") == [
        "  said   the ***** quick brown fox",
        "  heard  the brick early brown ***",
        "             I     S           D",
    ]


def test_letters_of_two_cells_and_of_none_stay_in_line():
    said, heard, marks = shown("日本 е\u0308лка x", "日 ёлка y")
    assert (said, heard) == ("  said   日本 е\u0308лка x", "  heard  日   ёлка y")
    assert marks == "         S    S    S"


def test_long_agreement_is_cut_and_nothing_else():
    words = " ".join(f"w{number}" for number in range(30))
    said, heard, marks = shown(f"{words} a", f"{words} b", 200)
    assert said.split()[1:] == ["w0", "w1", "w2", "w3", "[…", "22", "words", "…]",
        "w26", "w27", "w28", "w29", "a"]  # fmt: skip
    assert heard.split()[-1] == "b"
    assert marks.strip() == "S"


def test_colours_say_the_same():
    (said, *_) = aligned_lines(align_words(["a", "b"], ["a"]), 80)
    assert [span.style for span in said.spans if said.plain[span.start : span.end] == "b"] == [
        "bold yellow"
    ]


_WORDS = st.lists(st.sampled_from(["a", "bb", "ccc", "日本"]), max_size=15)


@given(_WORDS, _WORDS, st.integers(40, 60))
def test_no_word_is_lost_and_lines_fit(said, heard, width):
    lines = list(aligned_lines(align_words(said, heard), width))
    for label, words in (("said", said), ("heard", heard)):
        rows = [line.plain.split()[1:] for line in lines if line.plain.strip().startswith(label)]
        kept = [word for row in rows for word in row if not word.startswith("*")]
        if "[…" not in kept:
            assert kept == words
    assert all(line.cell_len <= width for line in lines)
