from __future__ import annotations

from dataclasses import MISSING

import pytest

from quest22 import settings
from quest22.errors import UsageError
from quest22.settings import forms
from quest22.settings.option import options_of

GROUPS = [
    settings.AudioSettings,
    settings.CaptionSettings,
    settings.DatasetSettings,
    settings.DecodingSettings,
    settings.EngineSettings,
    settings.FailureSettings,
    settings.HallucinationSettings,
    settings.HubSettings,
    settings.LongFormSettings,
    settings.OutputSettings,
    settings.PipelineSettings,
    settings.VadSettings,
]


@pytest.mark.parametrize(
    ("text", "expected"), [("", []), (" en, ru,", ["en", "ru"]), ("0.2", ["0.2"])]
)
def test_lists(text, expected):
    assert forms.split_list(text) == expected


def test_names_repeated_or_with_commas():
    assert forms.split_names(["a, b", "c", "a", ""]) == ["a", "b", "c"]
    assert forms.split_names(None) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", ()), ("0, 0.2,1", (0.0, 0.2, 1.0)), (0.4, (0.4,)), (0, (0.0,)), ([0, 1], (0.0, 1.0))],
)
def test_numbers(value, expected):
    assert forms.read_numbers("temperature", value) == expected


@pytest.mark.parametrize("value", ["hot", None, ["hot"]])
def test_what_is_no_number_is_named(value):
    with pytest.raises(UsageError, match=r"temperature is .*: expected numbers"):
        forms.read_numbers("temperature", value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("off", None), (" None ", None), (None, None), ("-1", -1.0), ("2.4", 2.4), (2.4, 2.4)],
)
def test_thresholds(value, expected):
    assert forms.read_threshold("logprob_threshold", value) == expected


def test_a_threshold_that_is_none():
    with pytest.raises(UsageError, match="logprob_threshold is 'low': expected a number, or off"):
        forms.read_threshold("logprob_threshold", "low")


@pytest.mark.parametrize(
    ("value", "expected"), [("auto", None), (" AUTO", None), (None, None), ("8", 8), (8, 8)]
)
def test_counts_that_may_be_chosen(value, expected):
    assert forms.read_count_or_auto("batch_size", value) == expected


@pytest.mark.parametrize("value", ["all", "1.5", 1.5, "inf", float("inf"), float("nan"), True])
def test_a_count_that_is_none(value):
    with pytest.raises(UsageError, match=r"batch_size is .*: expected a whole number, or auto"):
        forms.read_count_or_auto("batch_size", value)


@pytest.mark.parametrize("value", ["many", "1.5", 1.5, "inf", "nan", float("-inf")])
def test_a_count_that_is_neither_whole_nor_off(value):
    with pytest.raises(UsageError, match=r"caption_length is .*: expected a .*number, or off"):
        forms.COUNT_OR_OFF.read("caption_length", value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", ()), ("-1", (-1,)), ("50, 51", (50, 51)), (50, (50,)), ([50, 51.0], (50, 51))],
)
def test_tokens(value, expected):
    assert forms.read_tokens("suppress_tokens", value) == expected


@pytest.mark.parametrize("value", ["abc", "1.5", "inf", "50,nan", [1.5], [None], None, True])
def test_what_is_no_token_is_told_by_an_example_of_tokens(value):
    expected = r"suppress_tokens is .*: expected tokens by number, such as 50 or 50,51"
    with pytest.raises(UsageError, match=expected):
        forms.read_tokens("suppress_tokens", value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("auto", "auto"), (" FULL", "full"), ("12.5", 12.5), (8, 8.0)],
)
def test_audio_contexts(value, expected):
    assert forms.read_audio_context("audio_context", value) == expected


@pytest.mark.parametrize("value", ["short", "", (1, 2)])
def test_an_audio_context_that_is_none(value):
    with pytest.raises(UsageError, match="expected auto, full or seconds"):
        forms.read_audio_context("audio_context", value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5", (5.0, 5.0)),
        ("4,2.5", (4.0, 2.5)),
        ("0", (0.0, 0.0)),
        (5, (5.0, 5.0)),
        ((4, 2), (4.0, 2.0)),
    ],
)
def test_strides(value, expected):
    assert forms.read_stride("stride_length_s", value) == expected


@pytest.mark.parametrize("value", ["", "a", "1,2,3", "1;2", (), (1, 2, 3), None])
def test_a_stride_that_is_none(value):
    with pytest.raises(UsageError, match="one number or left,right"):
        forms.read_stride("stride_length_s", value)


@pytest.mark.parametrize(
    ("named", "language"),
    [(None, None), ("", None), ("auto", None), (" AUTO ", None), ("Russian", "ru"), ("en", "en")],
)
def test_languages(named, language):
    assert forms.read_language("language", named) == language


@pytest.mark.parametrize(
    ("value", "codes"),
    [(None, ()), ("", ()), ("en, Russian", ("en", "ru")), (["German", "fr"], ("de", "fr"))],
)
def test_several_languages(value, codes):
    assert forms.read_languages("languages", value) == codes


def test_an_unknown_language_is_refused():
    with pytest.raises(UsageError, match="unknown language 'Klingon'"):
        forms.read_languages("languages", "en,Klingon")


@pytest.mark.parametrize(("value", "names"), [("a,b", ("a,b",)), (["a", "b"], ("a", "b"))])
def test_a_text_from_python_is_one_name(value, names):
    assert forms.read_names("keep_columns", value) == names


@pytest.mark.parametrize(
    "option",
    [each for group in GROUPS for each in options_of(group) if each.form is not None],
    ids=lambda option: option.name,
)
def test_a_default_is_read_back_from_its_text(option):
    if option.default is MISSING or option.default_text is None:
        return
    assert option.read(option.default_text) == option.default


@pytest.mark.parametrize(
    ("value", "expected"),
    [("4", (4, 4)), (4, (4, 4)), ("2:16", (2, 16)), ((2, 16), (2, 16)), (None, None)],
)
def test_a_range(value: object, expected: tuple[int, int] | None) -> None:
    assert forms.read_range("cluster_workers", value) == expected


@pytest.mark.parametrize("value", ["0", "5:2", "2:", "a", "1:2:3", "", 2.5, (1, 2, 3)])
def test_what_is_no_range(value: object) -> None:
    with pytest.raises(UsageError, match=r"cluster_workers is .*such as 2:16"):
        forms.read_range("cluster_workers", value)
