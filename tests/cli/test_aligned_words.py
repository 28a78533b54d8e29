from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quest22.cli.aligned_words import aligned_lines
from quest22.evaluation.word_diff import align


def shown(said: str, heard: str, width: int = 80) -> list[str]:
    return [line.plain for line in aligned_lines(align(said.split(), heard.split()), width)]


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
    (said, *_) = aligned_lines(align(["a", "b"], ["a"]), 80)
    assert [span.style for span in said.spans if said.plain[span.start : span.end] == "b"] == [
        "bold yellow"
    ]


_WORDS = st.lists(st.sampled_from(["a", "bb", "ccc", "日本"]), max_size=15)


@given(_WORDS, _WORDS, st.integers(40, 60))
def test_no_word_is_lost_and_lines_fit(said, heard, width):
    lines = list(aligned_lines(align(said, heard), width))
    for label, words in (("said", said), ("heard", heard)):
        rows = [line.plain.split()[1:] for line in lines if line.plain.strip().startswith(label)]
        kept = [word for row in rows for word in row if not word.startswith("*")]
        if "[…" not in kept:
            assert kept == words
    assert all(line.cell_len <= width for line in lines)
