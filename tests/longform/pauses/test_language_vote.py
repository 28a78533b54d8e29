"""Which language a recording is in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.pauses.language_vote import LanguageVote
from quest22.records import DetectionOptions, Hypothesis

Votes = list[tuple[float, dict[str, float]]]


def detected(languages: dict[str, float]) -> Hypothesis:
    top = tuple(languages.items())
    return Hypothesis((), *top[0], -0.2, 0.1, languages=top)


def vote(votes: Votes, detection: DetectionOptions | None = None) -> LanguageVote:
    made = LanguageVote(detection or DetectionOptions())
    for duration_s, languages in votes:
        made.add(detected(languages), duration_s)
    return made


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([(10, {"en": 0.9, "de": 0.1})], "en"),
        ([(20, {"en": 0.9}), (29, {"en": 0.8}), (5, {"cy": 0.99})], "en"),
        ([(20, {"en": 0.4}), (5, {"cy": 0.99})], "en"),
        ([(10, {"en": 0.4}), (5, {"cy": 0.99})], "cy"),
        ([(10, {"en": 0.5, "de": 0.4}), (10, {"fr": 0.5, "de": 0.4})], "de"),
        ([(10, {"en": 0.5}), (10, {"fr": 0.5})], "en"),
    ],
)
def test_probabilities_count_by_duration(votes: Votes, expected: str) -> None:
    assert vote(votes).language == expected


def test_a_later_window_may_change_the_winner() -> None:
    votes = vote([(10, {"en": 0.9})])
    votes.add(detected({"de": 0.9}), 20)
    assert votes.language == "de"


def test_without_languages_there_is_no_winner() -> None:
    votes = LanguageVote(DetectionOptions())
    assert votes.language is None
    votes.add(Hypothesis((), None, 0.0, -0.2, 0.1), 10)
    assert votes.language is None


def test_a_language_that_was_given_votes_with_its_probability() -> None:
    votes = LanguageVote(DetectionOptions())
    votes.add(Hypothesis((), "ru", 1.0, -0.2, 0.1), 10)
    assert votes.language == "ru"


@pytest.mark.parametrize(
    ("threshold", "fallback", "expected"),
    [
        (0.0, "fr", "de"),
        (0.6, "fr", "de"),
        (0.7, "fr", "fr"),
        (0.7, None, "de"),
    ],
)
def test_a_winner_that_is_too_improbable_gives_way_to_the_fallback(
    threshold: float, fallback: str | None, expected: str
) -> None:
    detection = DetectionOptions(threshold=threshold, fallback=fallback)
    votes: Votes = [(10, {"de": 0.9, "en": 0.1}), (10, {"de": 0.4, "en": 0.3})]
    assert vote(votes, detection).language == expected


@pytest.mark.parametrize(
    ("votes", "rest_s", "settled"),
    [
        ([], 0, False),
        ([(29, {"en": 0.9, "de": 0.1})], 23, True),
        ([(29, {"en": 0.9, "de": 0.1})], 24, False),
        ([(29, {"en": 0.5, "de": 0.5})], 0, False),
    ],
)
def test_a_vote_is_settled_once_no_other_language_can_win(
    votes: Votes, rest_s: float, settled: bool
) -> None:
    assert vote(votes).is_settled(rest_s) is settled


def test_a_winner_that_may_become_too_improbable_is_not_settled() -> None:
    detection = DetectionOptions(threshold=0.5, fallback="fr")
    assert vote([(29, {"en": 0.9})], detection).is_settled(20)
    assert not vote([(29, {"en": 0.9})], detection).is_settled(24)


def votes_on(languages: str) -> st.SearchStrategy[Votes]:
    shares = st.lists(st.floats(0.01, 1), min_size=1, max_size=3).map(
        lambda all_: {code: each / sum(all_) for code, each in zip(languages, all_, strict=False)}
    )
    return st.lists(st.tuples(st.floats(0.1, 30), shares), min_size=1, max_size=8)


@given(
    votes=votes_on("abc"),
    later=votes_on("cba"),
    threshold=st.floats(0, 1),
    fallback=st.sampled_from([None, "a", "d"]),
)
def test_no_later_votes_change_a_settled_language(
    votes: Votes, later: Votes, threshold: float, fallback: str | None
) -> None:
    settled = vote(votes, DetectionOptions(threshold=threshold, fallback=fallback))
    if settled.is_settled(sum(duration_s for duration_s, _ in later)):
        language = settled.language
        for duration_s, languages in later:
            settled.add(detected(languages), duration_s)
            assert settled.language == language
