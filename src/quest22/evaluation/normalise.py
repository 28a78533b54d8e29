"""What is done to texts before they are compared: Whisper's own normalisers. Knows texts only.

Word error rates of Whisper models are published on texts that were normalised so
(https://arxiv.org/abs/2212.04356, appendix C): case, punctuation, and in English also spellings,
numbers and contractions are not counted as errors.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Literal, TypeAlias, get_args

from quest22.errors import UsageError

Normalizer: TypeAlias = Callable[[str], str]
NormalizerName: TypeAlias = Literal["auto", "basic", "english", "none"]

_BRACKETS = re.compile(r"[<\[][^>\]]*[>\]]")
_PARENTHESES = re.compile(r"\(([^)]+?)\)")
_SPACES = re.compile(r"\s+")

_NOT_WHISPERS = (r"\bkinda\b", r"\bsorta\b", r"\bdunno\b", r"\bcause\b")
"""Contractions that the package ``whisper-normalizer`` resolves and openai/whisper does not."""


def basic(text: str) -> str:
    """Lower case without brackets, marks, symbols and punctuation; diacritics stay.

    Equal to ``BasicTextNormalizer()`` of openai/whisper (``whisper/normalizers/basic.py``) and
    Transformers, outer spaces included.
    """
    text = _PARENTHESES.sub("", _BRACKETS.sub("", text.lower()))
    composed = unicodedata.normalize("NFKC", text)
    spaced = "".join(" " if unicodedata.category(c)[0] in "MSP" else c for c in composed)
    return _SPACES.sub(" ", spaced.lower())


def english(text: str) -> str:
    """American spelling, numbers in digits, contractions in full, no hesitations.

    Equal to ``EnglishTextNormalizer`` of openai/whisper (``whisper/normalizers/english.py``).
    """
    return _english()(text)


def unchanged(text: str) -> str:
    """Words as they are written, case and punctuation included; white space is single spaces."""
    return " ".join(text.split())


def normalizer(name: str, language: str | None = None) -> Normalizer:
    """The normaliser of a name; ``auto`` is English for English, and the basic one for others.

    ``language`` is a code or name such as ``"en"``, ``"en-US"`` or ``"English"``. Raises
    :class:`UsageError` for an unknown name.
    """
    named = {"basic": basic, "english": english, "none": unchanged}
    if name == "auto":
        return english if _is_english(language) else basic
    if name not in named:
        known = ", ".join(get_args(NormalizerName))
        raise UsageError(f"unknown normalizer {name!r}: expected one of {known}")
    return named[name]


def _is_english(language: str | None) -> bool:
    return re.split("[-_ ]", (language or "").strip().lower())[0] in ("en", "eng", "english")


@cache
def _english() -> Normalizer:
    from whisper_normalizer.english import EnglishTextNormalizer

    made = EnglishTextNormalizer()
    for pattern in _NOT_WHISPERS:
        made.replacers.pop(pattern, None)
    call: Normalizer = made
    return call
