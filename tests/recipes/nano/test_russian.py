from __future__ import annotations

import pytest

from recipes.nano.grammar.lexicon import lexicon
from recipes.nano.grammar.russian import agree, inside

FORMS = [
    ("thing", "book", "книга книги книге книгу книгой книге книги книг"),
    ("thing", "knife", "нож ножа ножу нож ножом ноже ножи ножей"),
    ("thing", "spoon", "ложка ложки ложке ложку ложкой ложке ложки ложек"),
    ("thing", "fork", "вилка вилки вилке вилку вилкой вилке вилки вилок"),
    ("thing", "letter", "письмо письма письму письмо письмом письме письма писем"),
    ("thing", "mirror", "зеркало зеркала зеркалу зеркало зеркалом зеркале зеркала зеркал"),
    ("thing", "dictionary", "словарь словаря словарю словарь словарём словаре словари словарей"),
    ("man", "Peter", "Пётр Петра Петру Петра Петром Петре Петры Петров"),
    ("man", "Gregory", "Григорий Григория Григорию Григория Григорием Григории Григории Григориев"),
    ("woman", "Julia", "Юлия Юлии Юлии Юлию Юлией Юлии Юлии Юлий"),
    ("city", "Athens", "Афины Афин Афинам Афины Афинами Афинах Афины Афин"),
    ("city", "Tokyo", "Токио Токио Токио Токио Токио Токио Токио Токио"),
    ("animal", "lion", "лев льва льву льва львом льве львы львов"),
]
ADJECTIVES = [
    ("красный", "f", False, "acc", "красную"),
    ("синий", "f", False, "nom", "синяя"),
    ("синий", "n", False, "gen", "синего"),
    ("большой", "m", False, "ins", "большим"),
    ("маленький", "n", False, "nom", "маленькое"),
    ("хороший", "n", False, "nom", "хорошее"),
    ("старый", "m", True, "acc", "старого"),
    ("дорогой", "p", False, "nom", "дорогие"),
]


@pytest.mark.parametrize(("group", "english", "forms"), FORMS)
def test_nouns_are_declined(group: str, english: str, forms: str) -> None:
    noun = next(noun for noun in lexicon().nouns[group] if noun.en == english)
    cases = noun.ru
    found = (cases.nom, cases.gen, cases.dat, cases.acc, cases.ins, cases.prep, cases.pl, cases.gpl)
    assert " ".join(found) == forms


@pytest.mark.parametrize(("adjective", "gender", "animate", "case", "form"), ADJECTIVES)
def test_adjectives_agree(adjective: str, gender: str, animate: bool, case: str, form: str) -> None:
    assert getattr(agree(adjective, gender, animate), case) == form


def test_prepositions_take_a_vowel_where_speech_needs_it() -> None:
    assert inside("Франции") == "во Франции"
    assert inside("Вене") == "в Вене"
