"""Prepares a clip's two texts for comparison: in which language, normalised how, in which unit.

Every error rate of the product is counted from here (:func:`compared`), so that the same texts have
the same errors wherever they are reported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from quest22.errors import UsageError
from quest22.evaluation.normalise import normalizer
from quest22.records import Transcript
from quest22.settings.languages import language_code

Unit: TypeAlias = Literal["word", "character"]

UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km", "bo"})
"""Languages written without spaces between words: their errors are counted by characters."""

_UNSPACED_LETTER = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\uaa60-\uaa7f"  # th lo, bo, my, km, my
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Japanese kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # Chinese characters
)


@dataclass(frozen=True, slots=True)
class TextPair:
    """A clip's reference and hypothesis; ``columns`` are the source's, by name."""

    key: str
    reference: str
    hypothesis: str
    language: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ComparedTexts:
    """Two normalised texts, and the unit of their errors; by characters they have no spaces."""

    reference: str
    hypothesis: str
    unit: Unit

    def units(self) -> tuple[list[str], list[str]]:
        """The words or the characters of the reference and of the hypothesis."""
        if self.unit == "character":
            return list(self.reference), list(self.hypothesis)
        return self.reference.split(), self.hypothesis.split()


def compared(
    reference: str, hypothesis: str, language: str | None = None, normalizer_name: str = "auto"
) -> ComparedTexts:
    """Normalise two texts. Raises :class:`UsageError` for an unknown normaliser.

    ``language`` is that of the reference, as a code or name such as ``"en"`` or ``"ja_jp"``.
    """
    code = known_code(language)
    unit = unit_of(reference, code)
    normalize = normalizer(normalizer_name, code if unit == "word" else None)
    space = " " if unit == "word" else ""
    said, heard = (space.join(normalize(text).split()) for text in (reference, hypothesis))
    return ComparedTexts(said, heard, unit)


def unit_of(reference: str, language: str | None) -> Unit:
    """What the errors of a clip are counted in; ``language`` is a code, None if unknown.

    The script of the reference decides. Where it doesn't, because the reference is a single word in
    letters of another script, or mixes scripts, the language does.
    """
    letters = sum(map(str.isalpha, reference))
    unspaced = sum(map(str.isalpha, "".join(_UNSPACED_LETTER.findall(reference))))
    if 2 * unspaced > letters:
        return "character"
    if letters and not unspaced and len(reference.split()) > 1:
        return "word"
    return "character" if language in UNSPACED else "word"


def pair_of(transcript: Transcript) -> TextPair | None:
    """A transcript's texts, to be compared; None if it has no reference."""
    if transcript.reference is None:
        return None
    language = reference_language(transcript)
    return TextPair(
        transcript.key, transcript.reference, transcript.text, language, transcript.columns
    )


def reference_language(transcript: Transcript) -> str | None:
    """The language in which a clip is scored: that of its source, else the transcript's."""
    columns = transcript.columns
    return first_name(columns.get("language"), columns.get("source_language"), transcript.language)


def first_name(*values: object) -> str | None:
    """The first value that is a text with letters."""
    return next((each for each in values if isinstance(each, str) and _has_letters(each)), None)


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


@lru_cache(maxsize=1024)
def known_code(language: str | None) -> str | None:
    """Whisper's code of a language such as ``ja``, ``ja_jp``, ``jpn`` or ``Japanese``, or None."""
    name = (language or "").strip().lower()
    first = re.split("[-_ (]", name)[0]
    return _code(name) or _code(first)


def _code(name: str) -> str | None:
    try:
        return language_code(name)
    except UsageError:
        return None
