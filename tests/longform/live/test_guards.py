from __future__ import annotations

from dataclasses import replace

import pytest

from quest22.decoding.fallback import Fallback
from quest22.longform.live.guards import Guards, Heard
from quest22.longform.pauses.trust import Trust
from quest22.settings import HallucinationSettings
from tests.longform.pauses.scripted import CHARACTERS, said

GUARDS = Guards(Trust(Fallback((0.0,), HallucinationSettings()), CHARACTERS))
HEARD = Heard(sound_s=2.0, speech_s=1.5, rest_s=0.0, is_first=True)
SHORT = replace(HEARD, speech_s=0.1)


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech", "heard", "expected"),
    [
        (" all is well", -0.3, 0.1, HEARD, None),
        (" all is well", -0.3, 0.9, HEARD, None),  # sure of its text
        (" you", -1.2, 0.9, HEARD, "no speech"),
        (" you", -1.2, 0.9, replace(HEARD, is_first=False), None),
        (" you", -0.8, 0.1, SHORT, "unlikely words in silence"),
        (" yes", -0.2, 0.1, SHORT, None),
        (" la" * 60, -0.1, 0.1, HEARD, "loop"),
        (" " + "every word of this was never said " * 4, -0.1, 0.1, HEARD, "loop"),
        ("", -9.0, 1.0, HEARD, None),
    ],
)
def test_what_is_refused(
    text: str, logprob: float, no_speech: float, heard: Heard, expected: str | None
) -> None:
    hypothesis = replace(said(text, logprob=logprob), no_speech_prob=no_speech)
    assert GUARDS.refusal(hypothesis, heard) == expected


@pytest.mark.parametrize(
    ("text", "logprob", "heard", "expected"),
    [
        (" all is well", -0.3, HEARD, False),
        (" all is well", -1.3, HEARD, True),
        (" all", -0.3, replace(HEARD, rest_s=0.45), False),
        (" all", -0.3, replace(HEARD, rest_s=0.7), True),  # the model stopped too early
        (".", -0.1, replace(HEARD, speech_s=0.4, rest_s=0.4), True),  # as for a half word
        (".", -0.1, replace(HEARD, speech_s=0.1, rest_s=0.1), False),  # a knock
        (".", -0.1, replace(HEARD, is_first=False, rest_s=0.4), False),
        ("", -1.3, replace(HEARD, is_first=False), False),  # nothing more was said
        ("", -1.3, replace(HEARD, is_first=False, rest_s=0.7), True),
    ],
)
def test_what_is_tried_again(text: str, logprob: float, heard: Heard, expected: bool) -> None:
    assert GUARDS.is_doubtful(said(text, logprob=logprob), heard) is expected


def test_sane_text_that_covers_the_speech_is_better() -> None:
    loop, short, good = said(" la" * 60, logprob=-0.1), said(" a", logprob=-0.2), said(" a b")
    uncovered = replace(HEARD, rest_s=1.5)
    ranks = [
        GUARDS.rank(loop, HEARD),
        GUARDS.rank(short, uncovered),
        GUARDS.rank(replace(good, avg_logprob=-0.9), HEARD),
        GUARDS.rank(good, HEARD),
    ]
    assert ranks == sorted(ranks)
