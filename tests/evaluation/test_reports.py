from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import UsageError
from quest22.evaluation.bootstrap import Bootstrap
from quest22.evaluation.reports import Evaluation, EvaluationSettings
from quest22.evaluation.score import ErrorRate, character_errors, word_errors
from quest22.evaluation.texts import TextPair

QUICK = Bootstrap(resamples=20)


def evaluated(*pairs, **settings):
    evaluation = Evaluation(EvaluationSettings(bootstrap=QUICK, **settings))
    for pair in pairs:
        evaluation.add(pair)
    return evaluation


def test_english_is_compared_as_english_and_the_rest_is_not():
    evaluation = evaluated(
        TextPair("a", "twenty colours", "20 colors", "en"),
        TextPair("b", "twenty colours", "20 colors", "de"),
    )
    rates = evaluation.groups()["language"]
    assert (rates["en"].by_words.words.rate, rates["de"].by_words.words.rate) == (0, 1)


def test_a_normaliser_that_is_named_holds_for_all():
    evaluation = evaluated(TextPair("a", "A b.", "a b", "en"), normalizer="none")
    assert evaluation.overall().by_words.words.rate == 1


def test_groups_by_carried_columns():
    evaluation = evaluated(
        TextPair("a", "x y", "x y", "en", {"speaker": 3}),
        TextPair("b", "x y", "x z", "en", {"speaker": 4}),
        TextPair("c", "x y", "x z", "en", {"speaker": None}),
        by=("speaker",),
    )
    groups = evaluation.groups()["speaker"]
    assert {name: rates.by_words.words.rate for name, rates in groups.items()} == {
        "3": 0, "4": 0.5, "(none)": 0.5,
    }  # fmt: skip


def test_a_column_that_is_not_there():
    with pytest.raises(UsageError, match="a has no column 'age'; its columns are: speaker"):
        evaluated(TextPair("a", "x", "x", None, {"speaker": 1}), by=("age",))


def test_the_worst_by_errors_and_by_rate():
    pairs = [
        TextPair("right", "a b", "a b"),
        TextPair("short", "a", "b"),
        TextPair("long", "a b c d e f", "a b c d x y"),
        TextPair("made up", "", "a b c"),
    ]
    assert [c.key for c in evaluated(*pairs, worst=2).worst()] == ["made up", "long"]
    by_rate = evaluated(*pairs, worst=2, worst_by="rate")
    assert [clip.key for clip in by_rate.worst()] == ["made up", "short"]
    assert evaluated(*pairs, worst=0).worst() == []


def test_a_clips_words_side_by_side():
    (clip,) = evaluated(TextPair("a", "The cat sat.", "a cat sat down")).worst()
    kinds = [(span.kind, span.reference, span.hypothesis) for span in clip.alignment()]
    assert kinds == [
        ("substitute", ("the",), ("a",)),
        ("equal", ("cat", "sat"), ("cat", "sat")),
        ("insert", (), ("down",)),
    ]


def test_words_and_characters_never_make_one_number():
    evaluation = evaluated(
        TextPair("a", "a b", "a c", "en"),
        TextPair("b", "東京 です", "東京です。", "ja"),
        TextPair("c", "สวัสดี", "สวัสด", "th"),
    )
    overall = evaluation.overall()
    assert [(each.unit, each.clips) for each in overall.counted()] == [
        ("word", 1),
        ("character", 2),
    ]
    assert overall.by_words.errors == ErrorRate(1, 1, 0, 0, 1)
    assert overall.by_characters.words == ErrorRate()
    assert overall.by_characters.errors.total == 4 + len("สวสด")
    assert list(evaluation.groups()["language"]) == ["en", "ja", "th"]


_TEXT = st.text("ab ,", max_size=10)


@given(st.lists(st.tuples(_TEXT, _TEXT, st.sampled_from(["x", "y", "z"])), min_size=1, max_size=12))
def test_groups_add_up_and_counts_are_those_of_the_score(clips):
    pairs = [
        TextPair(str(i), said, text, None, {"c": c}) for i, (said, text, c) in enumerate(clips)
    ]
    evaluation = evaluated(*pairs, by=("c",))
    overall, groups = evaluation.overall(), evaluation.groups()["c"].values()
    for unit, count in (("words", word_errors), ("characters", character_errors)):
        counted = sum((count(said, text) for said, text, _ in clips), ErrorRate())
        assert getattr(overall.by_words, unit) == counted
        parts = (getattr(rates.by_words, unit) for rates in groups)
        assert sum(parts, ErrorRate()) == counted
    assert sum(rates.clips for rates in groups) == overall.clips == len(clips)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"normalizer": "strict"}, "unknown normalizer"),
        ({"worst": -1}, "--worst is -1"),
        ({"worst_by": "length"}, "errors or rate"),
    ],
)
def test_settings_that_mean_nothing(values, message):
    with pytest.raises(UsageError, match=message):
        EvaluationSettings(**values)
