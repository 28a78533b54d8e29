from __future__ import annotations

import re
from itertools import islice

import pytest

from recipes.nano.grammar.sentences import (
    held_out,
    held_out_sentences,
    templates,
    training_sentences,
)

MANY = 6000


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_stream_follows_from_its_seed(language: str) -> None:
    first, again = (list(islice(training_sentences(5, language), 300)) for _ in range(2))
    other = list(islice(training_sentences(6, language), 300))
    assert first == again
    assert first != other


@pytest.mark.parametrize("language", ["en", "ru"])
def test_training_never_hears_what_is_held_out(language: str) -> None:
    trained = {getattr(s, language) for s in islice(training_sentences(1, language), MANY)}
    kept = [getattr(s, language) for s in islice(held_out_sentences(2, language), 300)]
    assert len(set(kept)) == len(kept)
    assert all(held_out(text) for text in kept)
    assert not trained & set(kept)


def test_a_russian_sentence_has_one_translation() -> None:
    translations: dict[str, set[str]] = {}
    for sentence in islice(training_sentences(3, "ru"), MANY):
        translations.setdefault(sentence.ru, set()).add(sentence.en)
    assert all(len(found) == 1 for found in translations.values())


def test_sentences_look_like_sentences() -> None:
    for sentence in islice(training_sentences(4, "en"), MANY):
        for text in (sentence.en, sentence.ru):
            assert re.match(r"[A-ZА-ЯЁ]", text), text
            assert text[-1] in ".!?", text
            assert not re.search(r"[{}|_\d]|  |,,", text), text


def test_the_vocabulary_is_as_large_as_promised() -> None:
    sentences = list(islice(training_sentences(7, "en"), 4 * MANY))
    english = {w for s in sentences for w in re.findall(r"[a-z']+", s.en.lower())}
    russian = {w for s in sentences for w in re.findall(r"[а-яё]+", s.ru.lower())}
    assert len(templates()) >= 40
    assert len(english) >= 800
    assert len(russian) >= 800
