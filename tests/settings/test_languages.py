from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.settings.languages import LANGUAGES, language_code, language_name

GIVEN = [
    ("ru", "ru"),
    ("Russian", "ru"),
    ("<|ru|>", "ru"),
    (" ENGLISH ", "en"),
    ("Haitian Creole", "ht"),
    ("haitian_creole", "ht"),
    ("Burmese", "my"),
    ("castilian", "es"),
    ("Mandarin", "zh"),
    ("Cantonese", "yue"),
    ("haw", "haw"),
    ("en-US", "en"),
    ("pt_BR", "pt"),
    ("zh-Hant-TW", "zh"),
    ("es-419", "es"),
    ("nb-NO", "no"),
    ("rus", "ru"),
    ("ger", "de"),
]


@pytest.mark.parametrize(("given", "code"), GIVEN)
def test_a_language_is_understood_however_it_is_written(given: str, code: str) -> None:
    assert language_code(given) == code


@pytest.mark.parametrize(
    ("given", "hint"),
    [("Rusian", "russian"), ("germn", "german"), ("", "en"), ("xx", "en"), ("xx-US", "en")],
)
def test_an_unknown_language_is_refused_with_a_hint(given: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        language_code(given)


def test_codes_and_names_lead_to_each_other() -> None:
    assert len(LANGUAGES) == 100
    assert all(language_code(code) == code for code in LANGUAGES)
    assert all(language_code(language_name(code)) == code for code in LANGUAGES)


@pytest.mark.reference
def test_the_table_is_the_reference_s() -> None:
    whisper = pytest.importorskip("transformers.models.whisper.tokenization_whisper")
    assert dict(LANGUAGES) == whisper.LANGUAGES
    assert list(LANGUAGES) == list(whisper.LANGUAGES)
    for name, code in whisper.TO_LANGUAGE_CODE.items():
        assert language_code(name) == code
