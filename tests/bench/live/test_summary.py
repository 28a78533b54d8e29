import pytest

from quest22.bench.live.reference import SpokenWord
from quest22.bench.live.score import Score, UtteranceEnd, WordTimes
from quest22.bench.live.summary import DRIFT_WORDS, LiveSummary, Quantiles, drift_s
from quest22.evaluation.score import ErrorRate


def word(end_s: float, delay_s: float) -> WordTimes:
    return WordTimes(SpokenWord("word", end_s, 0), end_s, end_s + delay_s / 2, end_s + delay_s)


def test_medians_and_95th_percentiles():
    summary = LiveSummary.of(
        Score(
            words=tuple(word(at, at / 100) for at in range(101)),
            ends=(UtteranceEnd(10.0, 10.25),),
            said=202,
            utterances=1,
            errors=ErrorRate(hits=95, substitutions=3, insertions=2),
            committed_errors=ErrorRate(hits=9, deletions=1),
            withdrawn=10,
        )
    )
    assert summary.committed == Quantiles(101, pytest.approx(0.5), pytest.approx(0.95))
    assert summary.shown == Quantiles(101, pytest.approx(0.25), pytest.approx(0.475))
    assert summary.final == Quantiles(1, 0.25, 0.25)
    assert summary.found == 0.5
    assert summary.committed_error_rate == 0.1
    assert summary.withdrawn == 0.1


def test_nothing_said_has_no_delays():
    summary = LiveSummary.of(Score())
    assert summary.shown == summary.committed == summary.final == Quantiles(0, None, None)
    assert summary.found is summary.error_rate is summary.drift_s is summary.withdrawn is None


def test_drift_is_the_change_between_the_first_and_the_last_quarter():
    early = [word(at / 10, 1.0) for at in range(DRIFT_WORDS)]
    between = [word(50.0, 9.0)] * DRIFT_WORDS
    late = [word(100 - at / 10, 1.3) for at in range(DRIFT_WORDS)]
    assert drift_s(early + between + late) == pytest.approx(0.3)
    assert drift_s(early + between + late[:-1]) is None
