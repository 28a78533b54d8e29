from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.accuracy.score import Score, interval, is_repeated, score, total

SAID = "the cat sat on a mat and the dog lay by the door all day long"


@pytest.mark.parametrize(
    ("heard", "errors", "lost", "twice", "added"),
    [
        (SAID, 0, 0, 0, 0),
        ("", 16, 16, 0, 0),
        (SAID.replace("on a mat and ", ""), 4, 4, 0, 0),
        (SAID.replace("on a mat ", ""), 3, 0, 0, 0),  # too short a run
        (SAID.replace("cat sat", "bat sad"), 2, 0, 0, 0),
        (SAID.replace("and the dog", "and the dog sat on a mat and the dog"), 7, 0, 7, 0),
        (SAID + " thank you for watching", 4, 0, 0, 4),
        (SAID + " thank you", 2, 0, 0, 0),
    ],
)
def test_runs_of_four_words_are_lost_said_twice_or_added(
    heard: str, errors: int, lost: int, twice: int, added: int
) -> None:
    found = score(SAID, heard, "en")
    assert found.errors.words.errors == errors
    assert (found.lost, found.twice, found.added) == (lost, twice, added)


def test_what_is_said_twice_far_away_is_added() -> None:
    other = [
        f"{a}{b}"
        for a in "bcdfgklmn"
        for b in ("are", "ill", "oom", "ush", "eel", "ong", "ack", "ide")
    ]
    text = " ".join(["the red fox ran", *other])
    assert score(text, f"{text} the red fox ran", "en").added == 4


def test_languages_without_spaces_are_counted_by_characters() -> None:
    found = score("今日は天気がいい", "今日は天気がいいいいいい", "ja")
    assert found.errors.words.total == 0
    assert found.errors.characters.total == 8
    assert found.errors.characters.errors == 4


def test_words_are_counted_as_the_product_counts_them() -> None:
    assert (
        score("It's colour, 2 o'clock!", "it is color two o'clock", "en").errors.words.errors == 0
    )


def test_scores_add_up() -> None:
    lost = score(SAID, "", "en")
    both = total([lost, score(SAID, SAID, "en")])
    assert (both.lost, both.errors.words.total) == (16, 32)
    assert total([]) == Score()


def test_an_interval_encloses_the_rate() -> None:
    scores = [score(SAID, SAID.replace("cat", "bat"), "en"), score(SAID, SAID, "en")] * 10
    bounds = interval(scores)
    assert bounds is not None
    assert bounds[0] < 1 / 32 < bounds[1]
    assert interval(scores[:1]) is None


@given(st.lists(st.sampled_from("abc"), max_size=30), st.data())
def test_a_run_is_repeated_only_if_four_of_its_words_are_said_elsewhere(
    words: list[str], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(words)))
    end = data.draw(st.integers(start, len(words)))
    inside, before, after = " ".join(words[start:end]), words[:start], words[end:]
    texts = [" ".join(before), " ".join(after)]
    runs = [inside[at : at + 7] for at in range(0, max(0, len(inside) - 6), 2)]
    assert is_repeated(words, start, end) == any(run in text for run in runs for text in texts)
