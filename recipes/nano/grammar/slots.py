"""What may fill a slot of a template: a function of a random generator for every group name.

A filler is a namespace of strings; the templates name the forms they want (``p.dat``, ``c.at``).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, replace
from types import SimpleNamespace

from recipes.nano.grammar import numbers as num
from recipes.nano.grammar.lexicon import Noun, article, lexicon
from recipes.nano.grammar.russian import Cases, agree, inside

Filler = SimpleNamespace
MY = Cases("мой", "моего", "моему", "мой", "моим", "моём", "мои", "моих")
MY_F = Cases("моя", "моей", "моей", "мою", "моей", "моей", "мои", "моих")
BY_GENDER = {
    "my": {"m": "мой", "f": "моя", "n": "моё", "p": "мои"},
    "my_dat": {"m": "моему", "f": "моей", "n": "моему", "p": "моим"},
}
CAPITALS = (
    "Russia Moscow;England London;France Paris;Germany Berlin;Italy Rome;Spain Madrid;"
    "Austria Vienna;Poland Warsaw;Greece Athens;Egypt Cairo;Japan Tokyo;China Beijing;India Delhi;"
    "Canada Ottawa;Portugal Lisbon;Norway Oslo;Finland Helsinki;Sweden Stockholm;Ireland Dublin"
)
SINGULAR = "mfn"


def noun_filler(noun: Noun) -> Filler:
    """All the forms of a noun that templates ask for."""
    cases, place = noun.ru, "на {}" if noun.on else "{}"
    inner = place.format if noun.on else inside
    return Filler(
        **asdict(cases),
        en=noun.en,
        a=article(noun.en) if noun.gender in SINGULAR else noun.en,
        at=inner(cases.prep),
        to=inner(cases.acc),
        **{key: table[noun.gender] for key, table in BY_GENDER.items()},
    )


def qualified(adjective: Noun | tuple[str, str], noun: Noun) -> Noun:
    """A noun with an agreeing adjective (English, Russian) before it."""
    en, ru = adjective if isinstance(adjective, tuple) else (adjective.en, adjective.ru.nom)
    forms = asdict(agree(ru, noun.gender, noun.animate))
    cases = Cases(**{key: f"{forms[key]} {value}" for key, value in asdict(noun.ru).items()})
    return replace(noun, en=f"{en} {noun.en}", en_many=f"{en} {noun.en_many}", ru=cases)


def person_filler(noun: Noun, kin: bool) -> Filler:
    """A named person, or one of the speaker's family."""
    woman, cases, en = noun.gender == "f", noun.ru, noun.en
    if kin:
        mine = MY_F if woman else replace(MY, acc="моего")
        cases = Cases(**{k: f"{getattr(mine, k)} {v}" for k, v in asdict(cases).items()})
        en = f"my {en}"
    ends = {"a": "а", "shel": "ла"} if woman else {"a": "", "shel": "ёл"}
    return Filler(**asdict(cases), en=en, obj=en, **ends)


def fill(group: str, rng: random.Random, filled: dict[str, Filler]) -> Filler:
    """A random filler of ``group``; ``filled`` holds the slots of the sentence filled before."""
    base, _, other = group.partition("_of_")
    if other:
        return AGREEING[base](rng, filled[other])
    if group in SPECIAL:
        return SPECIAL[group](rng)
    words = lexicon()
    if group in words.pairs:
        pair = rng.choice(words.pairs[group])
        return Filler(en=pair.en, ru=pair.ru, on=inside(_weekday_acc(pair.ru)))
    return noun_filler(rng.choice(words.nouns[group]))


def _weekday_acc(name: str) -> str:
    return name[:-1] + "у" if name.endswith("а") else name


def _pick(rng: random.Random, *groups: str) -> Noun:
    nouns = lexicon().nouns
    return rng.choice([noun for group in groups for noun in nouns[group]])


def _adjective(rng: random.Random, *groups: str) -> tuple[str, str]:
    pairs = lexicon().pairs
    pair = rng.choice([pair for group in groups for pair in pairs[group]])
    return pair.en, pair.ru


def _name(rng: random.Random) -> Filler:
    return person_filler(_pick(rng, "man", "woman"), kin=False)


def _person(rng: random.Random) -> Filler:
    return person_filler(_pick(rng, "kin"), kin=True) if rng.random() < 0.25 else _name(rng)


def _good(rng: random.Random) -> Filler:
    noun = _pick(rng, "thing", "thing", "clothes")
    if rng.random() < 0.3 or noun.gender == "p":
        return noun_filler(_pick(rng, "thing", "clothes") if noun.gender == "p" else noun)
    return noun_filler(qualified(_adjective(rng, "adjective", "color"), noun))


def _singular_thing(rng: random.Random) -> Filler:
    return noun_filler(rng.choice([n for n in lexicon().nouns["thing"] if n.gender != "p"]))


def _pet(rng: random.Random) -> Filler:
    noun = _pick(rng, "animal")
    if rng.random() < 0.4:
        return noun_filler(noun)
    return noun_filler(qualified(_adjective(rng, "temper", "temper", "color"), noun))


def _few_things(rng: random.Random) -> Filler:
    countable = [n for n in lexicon().nouns["thing"] if n.gender != "p"]
    return _counted(rng.choice([2, 2, 3, 3, *range(4, 13), 20]), _as_counted(rng.choice(countable)))


def _as_counted(noun: Noun) -> num.Counted:
    return num.Counted(noun.en, noun.en_many, noun.ru.nom, noun.ru.gen, noun.ru.gpl, noun.gender)


def _counted(n: int, noun: num.Counted) -> Filler:
    ru = f"{num.russian(n, noun.gender, accusative=True)} {num.plural_form(n, noun)}"
    nom = num.counted_russian(n, noun)
    return Filler(en=num.counted_english(n, noun), ru=nom, acc=ru)


def _price(rng: random.Random) -> Filler:
    coin = rng.choice([num.RUBLE, num.DOLLAR, num.EURO])
    tens, exact = rng.randrange(2, 10) * 10, rng.randrange(2, 100)
    return _counted(rng.choice([tens, exact, rng.randrange(1, 10) * 100]), coin)


def _hour(rng: random.Random) -> Filler:
    return _oclock(rng.randrange(1, 13))


def _oclock(hour: int) -> Filler:
    acc = "час" if hour == 1 else num.counted_russian(hour, num.HOUR)
    return Filler(en=f"{num.english(hour)} o'clock", acc=acc)


def _clock(rng: random.Random) -> Filler:
    hour, minute = rng.randrange(1, 13), rng.choice([0, 0, *range(5, 60, 5)])
    if minute == 0:
        return _oclock(hour)
    sign = (" oh", " ноль") if minute < 10 else ("", "")
    en = f"{num.english(hour)}{sign[0]} {num.english(minute)}"
    return Filler(en=en, acc=f"{num.russian(hour)}{sign[1]} {num.russian(minute)}")


def _date(rng: random.Random) -> Filler:
    day, month = rng.randrange(1, 32), rng.randrange(12)
    ru = num.month_genitive(month)
    return Filler(
        en=f"the {num.ordinal_english(day)} of {num.EN_MONTHS[month]}",
        nom=f"{num.ordinal_russian(day, 'n', 'nom')} {ru}",
        gen=f"{num.ordinal_russian(day, 'n', 'gen')} {ru}",
    )


def _temperature(rng: random.Random) -> Filler:
    n = rng.randrange(1, 36)
    sign = rng.choice([("", ""), ("minus ", "минус "), ("plus ", "плюс ")])
    en, ru = num.counted_english(n, num.DEGREE), num.counted_russian(n, num.DEGREE)
    return Filler(en=sign[0] + en, ru=sign[1] + ru)


def _sum(rng: random.Random) -> Filler:
    a, b = rng.randrange(2, 60), rng.randrange(2, 40)
    total = a + b
    if rng.random() < 0.4:
        a, total = total, a
        en, ru = "minus", "минус"
    else:
        en, ru = "plus", "плюс"
    return Filler(
        en=f"{num.english(a)} {en} {num.english(b)} is {num.english(total)}",
        ru=f"{num.russian(a)} {ru} {num.russian(b)} равно {num.russian(total)}",
    )


def _number(rng: random.Random) -> Filler:
    n = rng.choice([rng.randrange(1, 100), rng.randrange(100, 1000)])
    return Filler(en=num.english(n), ru=num.russian(n))


def _digits(rng: random.Random) -> Filler:
    digits = [rng.randrange(10) for _ in range(7)]
    return Filler(
        en=" ".join(num.EN_SMALL[d] for d in digits), ru=" ".join(num.RU_SMALL[d] for d in digits)
    )


def _age(rng: random.Random) -> Filler:
    return _counted(rng.randrange(2, 91), num.YEAR)


def _span(rng: random.Random) -> Filler:
    unit = rng.choice([num.MINUTE, num.HOUR, num.DAY, num.WEEK, num.MONTH])
    return _counted(rng.randrange(2, 31), unit)


def _distance(rng: random.Random) -> Filler:
    n = rng.choice([rng.randrange(2, 100), rng.randrange(2, 10) * 100])
    return _counted(n, rng.choice([num.KILOMETER, num.METER]))


def _journey(rng: random.Random) -> Filler:
    n = rng.choice([rng.randrange(20, 100), rng.randrange(100, 1000), rng.randrange(2, 10) * 100])
    return _counted(n, num.KILOMETER)


def _percent(rng: random.Random) -> Filler:
    return _counted(rng.randrange(2, 101), num.PERCENT)


def _ordinal(rng: random.Random) -> Filler:
    n = rng.randrange(1, 31)
    return Filler(en=num.ordinal_english(n), prep=num.ordinal_russian(n, "m", "prep"))


def _within(group: str, *names: str) -> Callable[[random.Random], Filler]:
    def choose(rng: random.Random) -> Filler:
        name = rng.choice(names)
        return noun_filler(next(n for n in lexicon().nouns[group] if n.en == name))

    return choose


def _goal(rng: random.Random) -> Filler:
    closed = ("monument", "tower", "bridge", "bus stop")
    return noun_filler(rng.choice([n for n in lexicon().nouns["place"] if n.en not in closed]))


def _realm(rng: random.Random) -> Filler:
    country, capital = rng.choice(CAPITALS.split(";")).split()
    nouns = lexicon().nouns
    filler = noun_filler(next(n for n in nouns["country"] if n.en == country))
    filler.capital = next(n for n in nouns["city"] if n.en == capital)
    return filler


def _language(rng: random.Random) -> Filler:
    noun = _pick(rng, "language")
    return Filler(en=noun.en, acc=noun.ru.nom, adverb=noun.ru.nom[:-1])


SPECIAL: dict[str, Callable[[random.Random], Filler]] = {
    "name": _name, "person": _person, "good": _good, "thing": _singular_thing, "pet": _pet,
    "few_things": _few_things, "price": _price, "hour": _hour, "clock": _clock, "date": _date,
    "temperature": _temperature, "sum": _sum, "number": _number, "digits": _digits, "age": _age,
    "span": _span, "distance": _distance, "journey": _journey, "percent": _percent,
    "ordinal": _ordinal, "realm": _realm, "goal": _goal, "language": _language,
    "tomorrow": lambda rng: Filler(en="tomorrow", ru="завтра"),
    "office": _within("place", "library", "bank", "restaurant", "gallery", "embassy", "laboratory"),
    "shelter": _within("place", "museum", "library", "hotel", "bank", "theater", "restaurant"),
    "homecoming": lambda rng: fill("late", rng, {}),
}  # fmt: skip
AGREEING: dict[str, Callable[[random.Random, Filler], Filler]] = {
    "capital": lambda _rng, realm: noun_filler(realm.capital),
}
