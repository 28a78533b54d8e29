from __future__ import annotations

from collections import Counter

import pytest

from quest22.errors import TooManyFailuresError
from quest22.runs.summary import (
    FailureBudget,
    RunStats,
)
from tests.support.results import failure, transcript


def test_results_are_counted():
    stats = RunStats()
    for result in (transcript("a"), failure("b"), failure("c"), transcript("d")):
        stats.add(result)
    assert (stats.transcripts, stats.failures) == (2, 2)
    assert stats.audio_s == 2 * transcript().duration_s
    assert stats.reasons == Counter({"audio: no sound in it": 2})


def test_errors_are_scored_by_the_language_that_was_spoken():
    stats = RunStats()
    stats.add(transcript("a", "Yes.", reference="yes"))
    stats.add(transcript("b", "x", reference="да", columns={"language": "ru"}))
    assert {code: errors.words.rate for code, errors in stats.scores.by_language.items()} == {
        "en": 0.0,
        "ru": 1.0,
    }
    assert (stats.transcripts, stats.failures) == (2, 0)


def test_nothing_is_scored_where_others_do():
    stats = RunStats(scored=False)
    stats.add(transcript("a", "Yes.", reference="yes"))
    assert not stats.scores.overall.counted()


@pytest.mark.parametrize(
    ("most", "earlier", "failures", "stops"),
    [
        (None, 0, 10**6, False),
        (0, 0, 0, True),
        (2, 0, 1, False),
        (2, 0, 2, True),
        (2, 1, 1, True),
    ],
)
def test_a_budget_of_failures(most, earlier, failures, stops):
    budget = FailureBudget(most, earlier)
    budget.check(transcript(), failures)
    if stops:
        with pytest.raises(TooManyFailuresError, match=r"stopped at x \(audio: no sound in it\)"):
            budget.check(failure("x"), failures)
    else:
        budget.check(failure("x"), failures)
