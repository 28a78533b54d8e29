from __future__ import annotations

from dataclasses import replace

import pytest

from quest22.longform.live.commit import STALLED_STEPS, CommitPolicy
from quest22.longform.live.words import HeardWord
from quest22.settings.live import PolicyName


def words(text: str, probability: float = 0.9) -> list[HeardWord]:
    """Each word takes half a second."""
    return [
        HeardWord(f" {each}", (at,), 0.5 * at, 0.5 * (at + 1), probability)
        for at, each in enumerate(text.split())
    ]


@pytest.mark.parametrize(
    ("policy", "earlier", "expected"),
    [
        ("alignatt", "", 2),
        ("alignatt", "quite another text", 2),
        ("local-agreement", "", 0),
        ("local-agreement", "one Two, tree", 2),
        ("local-agreement", "one two three", 2),  # never the very last
        ("both", "one", 1),
        ("both", "", 0),
    ],
)
def test_how_many_words_stay(policy: PolicyName, earlier: str, expected: int) -> None:
    count = CommitPolicy(policy, 0.5).count(words("one two three"), words(earlier), 1.6, 9.0, 0)
    assert count == expected


def test_unlikely_words_wait_longer() -> None:
    policy = CommitPolicy("alignatt", 0.5, sure=0.5, unsure_s=0.5)
    unsure = words("one two three", probability=0.4)
    assert [policy.count(unsure, [], heard_s, 9.0, 0) for heard_s in (1.0, 1.5, 2.0)] == [0, 1, 2]


def test_a_word_before_an_unlikely_one_waits_with_it() -> None:
    policy = CommitPolicy("alignatt", 0.5, sure=0.5, unsure_s=0.5)
    heard = words("one two three four five")
    heard[2] = replace(heard[2], probability=0.4)
    counts = [policy.count(heard, [], 0.5 * step, 9.0, 0) for step in range(2, 7)]
    assert counts == [1, 1, 2, 4, 4]
    assert [policy.must_check(heard, heard_s, 9.0) for heard_s in (1.9, 2.0)] == [False, True]


def test_after_a_stall_what_agrees_stays() -> None:
    policy = CommitPolicy("alignatt", 9.0)
    heard = words("one two three")
    assert policy.count(heard, heard, 1.5, 9.0, STALLED_STEPS) == 0
    assert policy.count(heard, heard, 1.5, 9.0, STALLED_STEPS + 1) == 2


def test_improbable_words_are_checked_before_they_stay() -> None:
    policy = CommitPolicy("alignatt", 0.5, sure=0.5, unsure_s=0.5)
    unsure = words("one two", probability=0.4)
    checks = [policy.must_check(unsure, heard_s, 9.0) for heard_s in (1.4, 1.5)]
    assert checks == [False, True]
    assert not policy.must_check(unsure, 1.5, 1.9)
    assert not policy.must_check(words("one two"), 9.0, 9.0)


def test_with_little_sound_unlikely_words_wait_twice_as_long() -> None:
    policy = CommitPolicy("alignatt", 0.5, sure=0.5, unsure_s=0.5)
    unsure = words("one two", probability=0.4)
    counts = [policy.count(unsure, [], 1.5, sound_s, 0) for sound_s in (1.9, 2.0)]
    assert counts == [0, 1]
    assert policy.count(words("one two"), [], 1.0, 1.9, 0) == 1
