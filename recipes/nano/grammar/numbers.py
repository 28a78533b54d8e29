"""Numbers, times, dates and prices in words, in English and in Russian.

Every function returns both languages, so that a template can use them side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

from recipes.nano.grammar.russian import agree


def words(text: str) -> tuple[str, ...]:
    """The words of a list written as a sentence."""
    return tuple(text.split())


EN_SMALL = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
EN_TENS = words("- - twenty thirty forty fifty sixty seventy eighty ninety")
EN_ORDINAL = words(
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
)
RU_SMALL = words(
    "ноль один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать "
    "тринадцать четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать"
)
RU_TENS = words("- - двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто")
RU_HUNDREDS = words("- сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот")
RU_ORDINAL = words(
    "нулевой первый второй третий четвёртый пятый шестой седьмой восьмой девятый десятый "
    "одиннадцатый двенадцатый тринадцатый четырнадцатый пятнадцатый шестнадцатый семнадцатый "
    "восемнадцатый девятнадцатый"
)
RU_ORDINAL_TENS = words(
    "- десятый двадцатый тридцатый сороковой пятидесятый шестидесятый семидесятый "
    "восьмидесятый девяностый"
)
EN_MONTHS = words(
    "January February March April May June July August September October November December"
)
RU_MONTHS = words("январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь")


@dataclass(frozen=True, slots=True)
class Counted:
    """A noun as it is counted: one, two to four, five and more."""

    en: str
    en_many: str
    one: str
    few: str
    many: str
    gender: str


def english(n: int) -> str:
    """A cardinal below 10,000 in English words."""
    if n < 20:
        return EN_SMALL[n]
    if n < 100:
        return EN_TENS[n // 10] + (f"-{EN_SMALL[n % 10]}" if n % 10 else "")
    big, name = (1000, "thousand") if n >= 1000 else (100, "hundred")
    head = f"{english(n // big)} {name}"
    return head + (f" {english(n % big)}" if n % big else "")


def russian(n: int, gender: str = "m", accusative: bool = False) -> str:
    """A cardinal below 10,000 in Russian words; one and two agree with the gender."""
    if n >= 1000:
        words = [counted_russian(n // 1000, THOUSAND)] if n >= 2000 else ["тысяча"]
    else:
        words = []
    rest = n % 1000
    if rest >= 100:
        words.append(RU_HUNDREDS[rest // 100])
    if rest % 100 >= 20:
        words.append(RU_TENS[rest % 100 // 10])
    last = rest % 100 if rest % 100 < 20 else rest % 10
    if last or not words:
        words.append(_agreeing(last, gender, accusative))
    return " ".join(words)


def _agreeing(n: int, gender: str, accusative: bool) -> str:
    if n == 1:
        return {"m": "один", "f": "одну" if accusative else "одна", "n": "одно"}[gender]
    return "две" if n == 2 and gender == "f" else RU_SMALL[n]


def plural_form(n: int, noun: Counted) -> str:
    """The Russian noun as it stands after the number ``n``."""
    if n % 10 == 1 and n % 100 != 11:
        return noun.one
    return noun.few if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14) else noun.many


def counted_russian(n: int, noun: Counted) -> str:
    """For example ``две книги``: the number and the noun, both in the nominative."""
    return f"{russian(n, noun.gender)} {plural_form(n, noun)}"


def counted_english(n: int, noun: Counted) -> str:
    """For example ``two books``."""
    return f"{english(n)} {noun.en if n == 1 else noun.en_many}"


def ordinal_english(n: int) -> str:
    """An ordinal below 100 in English words."""
    if n < 20:
        return EN_ORDINAL[n]
    if n % 10 == 0:
        return EN_TENS[n // 10][:-1] + "ieth"
    return f"{EN_TENS[n // 10]}-{EN_ORDINAL[n % 10]}"


def ordinal_russian(n: int, gender: str, case: str) -> str:
    """An ordinal below 10,000 in Russian words, in the given gender and case."""
    if n < 20:
        head, last = "", RU_ORDINAL[n]
    elif n % 100 == 0 or (n % 10 == 0 and n % 100 >= 20):
        if n % 100 == 0:
            raise ValueError(f"Round hundreds have no ordinal here, got {n}.")
        head, last = russian(n - n % 100) if n > 100 else "", RU_ORDINAL_TENS[n % 100 // 10]
    else:
        small = n % 100 if n % 100 < 20 else n % 10
        head, last = russian(n - small), RU_ORDINAL[small]
    form = _third(gender, case) if last == "третий" else getattr(agree(last, gender, False), case)
    return f"{head} {form}".strip()


def _third(gender: str, case: str) -> str:
    tables = {
        "m": {"nom": "третий", "gen": "третьего", "acc": "третий", "prep": "третьем"},
        "n": {"nom": "третье", "gen": "третьего", "acc": "третье", "prep": "третьем"},
        "f": {"nom": "третья", "gen": "третьей", "acc": "третью", "prep": "третьей"},
    }
    return tables[gender][case]


def month_genitive(index: int) -> str:
    """A Russian month as dates name it; ``index`` counts from 0."""
    name = RU_MONTHS[index]
    return name[:-1] + "я" if name[-1] in "ьй" else name + "а"


THOUSAND = Counted("thousand", "thousand", "тысяча", "тысячи", "тысяч", "f")
RUBLE = Counted("ruble", "rubles", "рубль", "рубля", "рублей", "m")
DOLLAR = Counted("dollar", "dollars", "доллар", "доллара", "долларов", "m")
EURO = Counted("euro", "euros", "евро", "евро", "евро", "m")
YEAR = Counted("year", "years", "год", "года", "лет", "m")
DEGREE = Counted("degree", "degrees", "градус", "градуса", "градусов", "m")
KILOMETER = Counted("kilometer", "kilometers", "километр", "километра", "километров", "m")
METER = Counted("meter", "meters", "метр", "метра", "метров", "m")
KILOGRAM = Counted("kilogram", "kilograms", "килограмм", "килограмма", "килограммов", "m")
LITER = Counted("liter", "liters", "литр", "литра", "литров", "m")
PERCENT = Counted("percent", "percent", "процент", "процента", "процентов", "m")
MINUTE = Counted("minute", "minutes", "минуту", "минуты", "минут", "f")
HOUR = Counted("hour", "hours", "час", "часа", "часов", "m")
DAY = Counted("day", "days", "день", "дня", "дней", "m")
WEEK = Counted("week", "weeks", "неделю", "недели", "недель", "f")
MONTH = Counted("month", "months", "месяц", "месяца", "месяцев", "m")
