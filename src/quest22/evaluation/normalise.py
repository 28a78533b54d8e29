"""Whisper's text normalisers, applied before texts are compared. Knows texts only.

Word error rates of Whisper models are published for texts normalised like this
(https://arxiv.org/abs/2212.04356, appendix C): case and punctuation do not count as errors, and in
English neither do spelling variants, number formats and contractions.
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

_EXTRA_CONTRACTIONS = (r"\bkinda\b", r"\bsorta\b", r"\bdunno\b", r"\bcause\b")
"""Contractions that the package ``whisper-normalizer`` expands and openai/whisper does not."""


def basic(text: str) -> str:
    """Lower case, without bracketed text, marks, symbols and punctuation; diacritics stay.

    Identical to ``BasicTextNormalizer()`` of openai/whisper (``whisper/normalizers/basic.py``) and
    Transformers, including leading and trailing spaces.
    """
    text = _PARENTHESES.sub("", _BRACKETS.sub("", text.lower()))
    composed = unicodedata.normalize("NFKC", text)
    spaced = "".join(" " if unicodedata.category(c)[0] in "MSP" else c for c in composed)
    return _SPACES.sub(" ", spaced.lower())


def english(text: str) -> str:
    """American spelling, numbers as digits, expanded contractions, no hesitations.

    Identical to ``EnglishTextNormalizer`` of openai/whisper (``whisper/normalizers/english.py``).
    """
    return _english()(text)


def unchanged(text: str) -> str:
    """The text with its case and punctuation; white space becomes single spaces."""
    return " ".join(text.split())


def normalizer(name: str, language: str | None = None) -> Normalizer:
    """The normaliser with this name; ``auto`` is ``english`` for English and ``basic`` otherwise.

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

    normalize = EnglishTextNormalizer()
    for pattern in _EXTRA_CONTRACTIONS:
        normalize.replacers.pop(pattern, None)
    typed: Normalizer = normalize
    return typed
