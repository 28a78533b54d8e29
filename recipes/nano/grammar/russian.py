"""Russian declension, as far as nano's word lists need it.

Rules give the regular forms from a noun's dictionary form and gender; the lists name what is
irregular. Knows nothing of English, sentences or numbers.
Source of the rules: the declension tables of any school grammar (A. A. Zaliznyak's classes 1-7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

VELARS = "гкх"
HUSHES = "жшщч"
VOWELS = "аеёиоуыэюя"


@dataclass(frozen=True, slots=True)
class Cases:
    """The forms of one noun, or of one noun with its adjectives."""

    nom: str
    gen: str
    dat: str
    acc: str
    ins: str
    prep: str
    pl: str
    gpl: str


def decline(nom: str, gender: str, animate: bool, irregular: Mapping[str, str]) -> Cases:
    """Decline a noun of gender "m", "f", "n", "p" (plural only) or "0" (never declined)."""
    if gender == "0":
        regular = dict.fromkeys(Cases.__slots__, nom)
    elif gender == "p":
        regular = _plural_only(nom)
    elif nom[-1] in "ая" and gender in "mf":
        regular = _first_declension(nom, irregular.get("s"))
    elif gender == "f":
        regular = _third_declension(nom, irregular.get("s"))
    else:
        regular = _second_declension(nom, irregular.get("s"), animate)
    return Cases(**{**regular, **{k: v for k, v in irregular.items() if k in regular}})


def _i_or_y(stem: str) -> str:
    return "и" if stem[-1] in VELARS + HUSHES else "ы"


def _first_declension(nom: str, stem: str | None) -> dict[str, str]:
    base = stem or nom[:-1]
    if nom.endswith("я"):
        weak = "и" if nom.endswith("ия") else "е"
        return {
            "nom": nom, "gen": base + "и", "dat": base + weak, "acc": base + "ю",
            "ins": base + "ей", "prep": base + weak, "pl": base + "и",
            "gpl": base + ("й" if weak == "и" else "ь"),
        }  # fmt: skip
    return {
        "nom": nom, "gen": base + _i_or_y(base), "dat": base + "е", "acc": base + "у",
        "ins": base + ("ей" if base[-1] in HUSHES + "ц" else "ой"), "prep": base + "е",
        "pl": base + _i_or_y(base), "gpl": _zero_ending(base),
    }  # fmt: skip


def _zero_ending(base: str) -> str:
    """Genitive plural without an ending; a vowel parts a consonant from a final "к"."""
    if base[-1] == "к" and base[-2] not in VOWELS:
        return base[:-1] + ("е" if base[-2] in HUSHES else "о") + "к"
    return base


def _third_declension(nom: str, stem: str | None) -> dict[str, str]:
    base = stem or nom[:-1]
    return {
        "nom": nom, "gen": base + "и", "dat": base + "и", "acc": nom, "ins": nom + "ю",
        "prep": base + "и", "pl": base + "и", "gpl": base + "ей",
    }  # fmt: skip


def _second_declension(nom: str, stem: str | None, animate: bool) -> dict[str, str]:
    if nom[-1] in "ое":
        return _neuter(nom)
    soft = nom[-1] in "йь"
    base = stem or (nom[:-1] if soft else nom)
    if soft:
        gen, prep = base + "я", base + ("и" if nom.endswith("ий") else "е")
        rest = {"dat": base + "ю", "ins": base + "ем", "pl": base + "и"}
        gpl = base + ("ев" if nom[-1] == "й" else "ей")
    else:
        gen, prep = base + "а", base + "е"
        ins = base + ("ем" if base[-1] in HUSHES + "ц" else "ом")
        rest = {"dat": base + "у", "ins": ins, "pl": base + _i_or_y(base)}
        gpl = base + ("ей" if base[-1] in HUSHES else "ев" if base[-1] == "ц" else "ов")
    acc = gen if animate else nom
    return {"nom": nom, "gen": gen, "acc": acc, "prep": prep, "gpl": gpl, **rest}


def _neuter(nom: str) -> dict[str, str]:
    base, soft = nom[:-1], nom[-1] == "е" and nom[-2] not in HUSHES + "ц"
    a, u = ("я", "ю") if soft else ("а", "у")
    gpl = base if nom[-1] == "о" else base[:-1] + "ий" if nom.endswith("ие") else base + "ей"
    return {
        "nom": nom, "gen": base + a, "dat": base + u, "acc": nom,
        "ins": nom + "м", "prep": base + ("и" if nom.endswith("ие") else "е"),
        "pl": base + a, "gpl": gpl,
    }  # fmt: skip


def _plural_only(nom: str) -> dict[str, str]:
    base, soft = nom[:-1], nom[-1] in "ия" and nom[-2] not in VELARS + HUSHES
    a = "я" if soft else "а"
    return {
        "nom": nom, "gen": base + "ов", "dat": base + a + "м", "acc": nom,
        "ins": base + a + "ми", "prep": base + a + "х", "pl": nom, "gpl": base + "ов",
    }  # fmt: skip


def agree(adjective: str, gender: str, animate: bool) -> Cases:
    """Decline an adjective, given in the masculine nominative, beside a noun of that gender."""
    base, mark = adjective[:-2], adjective[-2]
    soft = adjective.endswith("ний")
    hush = base[-1] in HUSHES and mark == "и"
    o, y = ("е" if soft or hush else "о"), ("и" if soft or base[-1] in VELARS + HUSHES else "ы")
    plural, many = base + y + "е", base + y + "х"
    if gender == "p":
        acc = many if animate else plural
        return Cases(plural, many, base + y + "м", acc, base + y + "ми", many, plural, many)
    if gender == "f":
        oblique = base + o + "й"
        nom, acc = base + ("яя" if soft else "ая"), base + ("юю" if soft else "ую")
        return Cases(nom, oblique, oblique, acc, oblique, oblique, plural, many)
    nom = adjective if gender == "m" else base + o + "е"
    gen = base + o + "го"
    acc = gen if animate and gender == "m" else nom
    return Cases(nom, gen, base + o + "му", acc, base + y + "м", base + o + "м", plural, many)


def inside(phrase: str) -> str:
    """The preposition "в", or "во" before "в" or "ф" and a consonant."""
    first, second = phrase[0].lower(), phrase[1].lower()
    return ("во " if first in "вф" and second not in VOWELS else "в ") + phrase
