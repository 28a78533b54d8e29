from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.evaluation.texts import UNSPACED, compared, known_code, reference_language, unit_of
from tests.support.results import transcript


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ja", "ja"),
        ("ja_jp", "ja"),
        ("Japanese", "ja"),
        ("jpn", "ja"),
        ("cmn_hans_cn", "zh"),
        ("yue_hant_hk", "yue"),
        ("zh-CN", "zh"),
        ("English (India)", "en"),
        ("Haitian Creole", "ht"),
        ("Klingon", None),
        ("", None),
        (None, None),
    ],
)
def test_names_of_languages(name, code):
    assert known_code(name) == code


@pytest.mark.parametrize(
    ("reference", "language", "unit"),
    [
        ("今日は晴れ", None, "character"),
        ("今日は晴れ", "en", "character"),  # the detected language may be wrong
        ("สวัสดีครับ", None, "character"),
        ("ສະບາຍດີ", None, "character"),
        ("မင်္ဂလာပါ", None, "character"),
        ("ជំរាបសួរ", None, "character"),
        ("བཀྲ་ཤིས་བདེ་ལེགས", None, "character"),
        ("안녕하세요 여러분", "ko", "word"),
        ("good morning", "ja", "word"),
        ("OK", "ja", "character"),
        ("OK", "en", "word"),
        ("iPhone 15 を買う", "ja", "character"),
        ("the word 東京", "en", "word"),
        ("", "ja", "character"),
        ("", None, "word"),
        ("12", "th", "character"),
    ],
)
def test_the_unit(reference, language, unit):
    assert unit_of(reference, language) == unit


@pytest.mark.parametrize("language", sorted(UNSPACED))
def test_spaces_do_not_count_where_none_are_written(language):
    texts = compared("東京 です。", "東京です", language)
    assert texts.units() == ([*"東京です"], [*"東京です"])


def test_english_is_normalised_as_english_whatever_it_is_called():
    for name in ("en", "eng", "English", "en_us"):
        assert compared("twenty colours", "20 colors", name).units() == (["20", "colors"],) * 2
    assert compared("twenty colours", "20 colors", "de").units()[0] == ["twenty", "colours"]


@pytest.mark.parametrize(
    ("columns", "language"),
    [
        ({"language": 3}, "en"),
        ({"language": " "}, "en"),
        ({"language": "ru"}, "ru"),
        ({"source_language": "ru"}, "ru"),
        ({"source_language": "fr", "language": "ru"}, "ru"),
        ({}, "en"),
    ],
)
def test_a_clip_is_scored_in_the_language_of_its_source(columns, language):
    assert reference_language(transcript(columns=columns)) == language


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from([None, "en", "ja", "th", "ru"]))
def test_any_texts_can_be_compared(reference, hypothesis, language):
    texts = compared(reference, hypothesis, language)
    assert texts == compared(reference, hypothesis, language)
    if texts.unit == "character":
        assert not any(map(str.isspace, texts.reference + texts.hypothesis))
