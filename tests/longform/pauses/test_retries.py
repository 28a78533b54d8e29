"""What is tried again, in which order, and that the best of all tries stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quest22.decoding.fallback import Fallback
from quest22.longform.pauses.retries import Retries
from quest22.longform.pauses.trust import Trust
from quest22.records import DecodingOptions, Hypothesis, SearchOptions, Window
from quest22.settings import HallucinationSettings
from tests.longform.pauses.scripted import CHARACTERS, drive, each_in_turn, said

RETRIES = Retries(
    Trust(Fallback((0.0,), HallucinationSettings()), CHARACTERS),
    beam_size=5,
    temperatures=(0.4, 0.8),
    best_of=3,
)
LOOP = " x" * 90
SOUND = np.zeros(10 * 16_000, np.float32)


def window(
    beam_size: int = 1,
    greedy_logprob: float | None = None,
    timestamps: bool = True,
    temperature: float = 0.0,
) -> Window:
    search = SearchOptions(beam_size, greedy_logprob=greedy_logprob)
    decoding = DecodingOptions(timestamps=timestamps, temperature=temperature, search=search)
    return Window(SOUND, 0.0, decoding)


def asked(windows: list[Window]) -> list[tuple[object, ...]]:
    """Beams, samples, timestamps and temperature of windows."""
    return [
        (each.search.beam_size, each.search.best_of, each.timestamps, each.temperature)
        for each in (window.decoding for window in windows)
    ]


BEAMS, FLIPPED = (5, 1, True, 0.0), (5, 1, False, 0.0)
SAMPLED, HOTTER = (5, 3, True, 0.4), (5, 3, True, 0.8)


def test_what_is_trusted_is_not_tried_again() -> None:
    first = said("fine")
    assert drive(RETRIES.improve([window()], [first]), each_in_turn([])) == ([], [first])


def test_beams_then_timestamps_the_other_way_then_temperatures() -> None:
    rounds, _ = drive(RETRIES.improve([window(5)], [said(LOOP)]), lambda _window: said(LOOP))
    assert [asked(each) for each in rounds] == [[FLIPPED], [SAMPLED], [HOTTER]]
    rounds, _ = drive(RETRIES.improve([window(1)], [said(LOOP)]), lambda _window: said(LOOP))
    assert [asked(each) for each in rounds] == [
        [BEAMS],
        [FLIPPED],
        [(1, 3, True, 0.4)],
        [(1, 3, True, 0.8)],
    ]


@pytest.mark.parametrize(
    ("decoded", "first_logprob", "expected"),
    [
        (window(1), -2.0, BEAMS),
        (window(5), -2.0, FLIPPED),
        (window(7), -2.0, (7, 1, False, 0.0)),
        (window(5, greedy_logprob=-0.25), -2.0, FLIPPED),  # the beams have followed already
        (window(5, greedy_logprob=-0.25), -0.2, BEAMS),  # greedy decoding was sure of a loop
        (window(5, greedy_logprob=-0.25), -0.25, BEAMS),
        (window(5, timestamps=False), -2.0, BEAMS),
        (window(1, temperature=0.2), -2.0, (1, 1, False, 0.2)),
        (window(5, greedy_logprob=-0.25, temperature=0.2), -0.1, (5, 1, False, 0.2)),
    ],
)
def test_nothing_is_decoded_twice_alike(
    decoded: Window, first_logprob: float, expected: tuple[object, ...]
) -> None:
    procedure = RETRIES.improve([decoded], [said(LOOP, logprob=first_logprob)])
    rounds, _ = drive(procedure, lambda _window: said("fine"))
    assert [asked(each) for each in rounds] == [[expected]]


@pytest.mark.parametrize("best_at", range(5))
def test_the_best_of_all_tries_is_kept(best_at: int) -> None:
    tries = [said("word", logprob=-3.0 - at) for at in range(5)]
    tries[best_at] = said("best", logprob=-1.5)
    _, (best,) = drive(RETRIES.improve([window()], [tries[0]]), each_in_turn(tries[1:]))
    assert best == tries[best_at]


def test_a_sane_text_is_better_than_a_probable_loop() -> None:
    tries = [said("word", logprob=-4.0), *(said(LOOP, logprob=-0.1) for _ in range(3))]
    first = said(LOOP, logprob=-0.05)
    _, (best,) = drive(RETRIES.improve([window()], [first]), each_in_turn(tries))
    assert best == tries[0]


def test_the_first_of_equally_good_tries_is_kept() -> None:
    first = said("first", logprob=-2.0)
    answer = said("later", logprob=-2.0)
    _, (best,) = drive(RETRIES.improve([window()], [first]), lambda _window: answer)
    assert best == first


def test_only_doubtful_windows_are_tried_until_they_are_trusted() -> None:
    windows = [replace(window(), start_s=start_s) for start_s in (0.0, 1.0, 2.0)]
    first = [said(LOOP), said("fine"), said("mumbled", logprob=-2.0)]
    better = {0.0: said("better"), 2.0: said("mumbled", logprob=-1.9)}
    rounds, best = drive(RETRIES.improve(windows, first), lambda window: better[window.start_s])
    starts = [[each.start_s for each in windows] for windows in rounds]
    assert starts == [[0.0, 2.0], [2.0], [2.0], [2.0]]
    assert [CHARACTERS.decode(each.tokens) for each in best] == ["better", "fine", "mumbled"]
    assert best[2].avg_logprob == -1.9


def test_tries_are_in_the_language_that_was_detected() -> None:
    first = replace(said(LOOP, "de"), language_probability=0.6)
    answer = replace(said("gut", "de"), language_probability=1.0)
    rounds, (best,) = drive(RETRIES.improve([window()], [first]), lambda _window: answer)
    assert [each.decoding.language for each in rounds[0]] == ["de"]
    assert best == replace(answer, language_probability=0.6)


def detected(*languages: tuple[str, float], text: str = "so", logprob: float = -0.5) -> Hypothesis:
    language, probability = languages[0]
    return replace(
        said(text, language, logprob), language_probability=probability, languages=languages
    )


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        (detected(("de", 0.75), ("en", 0.2)), []),
        (detected(("de", 0.74), ("en", 0.2)), ["en"]),
        (detected(("de", 0.5), ("en", 0.2), ("fr", 0.1), ("nl", 0.1)), ["en", "fr"]),
        (detected(("de", 0.5), ("en", 0.04), ("fr", 0.039)), ["en"]),
        (detected(("de", 0.7), ("en", 0.03)), []),
        (detected(("de", 0.9), ("en", 0.05), logprob=-1.2), ["en"]),
        (detected(("de", 0.9), ("en", 0.05), text=LOOP), ["en"]),
        (said("so", "de"), []),
        (replace(said("so", None), language_probability=0.0), []),
    ],
)
def test_languages_that_are_tried(hypothesis: Hypothesis, expected: list[str]) -> None:
    rounds, best = drive(
        RETRIES.in_other_languages(window(), hypothesis),
        lambda window: said(LOOP, window.decoding.language, -3.0),
    )
    assert [each.decoding.language for windows in rounds for each in windows] == expected
    assert best == hypothesis


def test_the_language_with_the_best_text_is_kept_with_its_probability() -> None:
    hypothesis = detected(("de", 0.5), ("en", 0.3), ("fr", 0.1))
    logprobs = {"en": -0.2, "fr": -0.4}
    _, best = drive(
        RETRIES.in_other_languages(window(), hypothesis),
        lambda window: said("so", window.decoding.language, logprobs[window.decoding.language]),
    )
    assert (best.language, best.language_probability, best.avg_logprob) == ("en", 0.3, -0.2)


def test_a_little_more_probable_text_does_not_outweigh_an_improbable_language() -> None:
    hypothesis = detected(("de", 0.7), ("en", 0.05))
    _, best = drive(
        RETRIES.in_other_languages(window(), hypothesis),
        lambda window: said("so", window.decoding.language, -0.45),
    )
    assert best == hypothesis
