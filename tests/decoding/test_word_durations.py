from __future__ import annotations

import pytest

from quest22.decoding.word_durations import MAX_MEDIAN_S, WordDurations
from quest22.records import Segment, Word

HALF = WordDurations(0.5)


def words(*spans: tuple[float, float]) -> list[Word]:
    return [Word(start_s, end_s, " word", 0.9) for start_s, end_s in spans]


def fit(segment: tuple[float, float], spans: list[tuple[float, float]], last_speech_s: float = 0.0):
    fitted = HALF.fit(Segment(*segment, " word"), words(*spans), last_speech_s)
    return (fitted.start_s, fitted.end_s), [(word.start_s, word.end_s) for word in fitted.words]


@pytest.mark.parametrize(
    ("lengths_s", "median_s"),
    [([], 0.0), ([0.0], 0.0), ([0.0, 0.2, 0.4], 0.3), ([2.0, 3.0], MAX_MEDIAN_S)],
)
def test_the_median_of_words_that_last(lengths_s: list[float], median_s: float) -> None:
    assert WordDurations.of(lengths_s).median_s == pytest.approx(median_s)


def test_ordinary_words_stay() -> None:
    assert fit((1.0, 2.0), [(1.0, 1.5), (1.5, 2.0)]) == ((1.0, 2.0), [(1.0, 1.5), (1.5, 2.0)])


def test_a_segment_without_words_has_none() -> None:
    assert fit((1.0, 2.0), []) == ((1.0, 2.0), [])


def test_the_first_word_after_a_pause_does_not_include_it() -> None:
    assert fit((9.0, 11.0), [(2.0, 10.0), (10.0, 10.5)]) == (
        (9.0, 10.5),
        [(9.0, 10.0), (10.0, 10.5)],
    )


def test_both_first_words_are_cut_where_the_second_is_long_too() -> None:
    _, spans = fit((7.0, 10.0), [(2.0, 5.0), (5.0, 10.0)])
    assert spans == [(8.0, 9.0), (9.0, 10.0)]


def test_a_last_word_that_overhangs_ends_with_its_segment() -> None:
    assert fit((1.0, 2.0), [(1.0, 1.5), (1.5, 4.0)]) == ((1.0, 2.0), [(1.0, 1.5), (1.5, 2.0)])


def test_a_first_word_that_overhangs_begins_with_its_segment() -> None:
    span, spans = fit((2.0, 3.0), [(1.2, 2.4), (2.4, 3.0)], last_speech_s=1.0)
    assert span == (2.0, 3.0)
    assert spans[0] == (pytest.approx(1.9), 2.4)
