from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.checkpoint.tokens import Tokens
from quest22.checkpoint.word_splitting import split_to_words

SPLITS = [
    (" Hello, brave world!", "en", [" Hello", ",", " brave", " world", "!"]),
    (" don't stop", "en", [" don't", " stop"]),
    (" Ёжик спешит…", "ru", [" Ёжик", " спешит…"]),
    (" it is 🙂 fine", "en", [" it", " is", " 🙂", " fine"]),
    ("犬と猫", "ja", ["犬", "と", "猫"]),
    ("犬と猫", "en", ["犬と猫"]),
    ("", "en", []),
]


@pytest.fixture(scope="module")
def tokens(multilingual: Path) -> Tokens:
    return Tokens.read(
        multilingual, Dimensions.read(multilingual), GenerationConfig.read(multilingual)
    )


@pytest.mark.parametrize(("text", "language", "words"), SPLITS)
def test_words_are_split_by_the_language_s_rule(
    tokens: Tokens, text: str, language: str, words: list[str]
) -> None:
    found = split_to_words(tokens.encode(text), tokens, language)
    assert [word.text for word in found] == words


def test_control_and_timestamp_tokens_make_no_word(tokens: Tokens) -> None:
    said = tokens.encode(" yes")
    begin = tokens.timestamp_begin
    found = split_to_words([begin, *said, begin + 9, tokens.eot], tokens, "en")
    assert [(word.text, list(word.tokens)) for word in found] == [(" yes", said)]


@settings(max_examples=200, deadline=None)
@given(text=st.text(), language=st.sampled_from(["en", "ja", None]))
def test_words_joined_are_the_text(tokens: Tokens, text: str, language: str | None) -> None:
    encoded = tokens.encode(text)
    found = split_to_words(encoded, tokens, language)
    assert [token for word in found for token in word.tokens] == encoded
    assert "".join(word.text for word in found) == text


@settings(max_examples=200, deadline=None)
@given(text=st.lists(st.integers(0, 400), max_size=20))
def test_no_token_is_lost_where_characters_are_broken(tokens: Tokens, text: list[int]) -> None:
    found = split_to_words(text, tokens, "en")
    assert [token for word in found for token in word.tokens] == text
    assert all(word.tokens for word in found)


@pytest.mark.reference
@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet=" abcÉяЖ日本🙂'’.,!?-…\n", max_size=40))
def test_words_are_the_reference_s(tokens: Tokens, reference: Any, text: str) -> None:
    encoded = tokens.encode(text)
    for language, split in (
        ("en", whisper()._split_tokens_on_spaces),
        ("ja", whisper()._split_tokens_on_unicode),
    ):
        words, word_tokens, _ = split(reference, encoded)
        found = split_to_words(encoded, tokens, language)
        assert [word.text for word in found] == words
        assert [list(word.tokens) for word in found] == word_tokens


def whisper() -> Any:
    return pytest.importorskip("transformers.models.whisper.tokenization_whisper")


@pytest.fixture(scope="module")
def reference(multilingual: Path) -> Any:
    """Transformers' tokenizer of the same files."""
    return whisper().WhisperTokenizer.from_pretrained(multilingual)
