"""Words in the form in which they are compared: lower case, without punctuation, one by one."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

from quest22.evaluation.normalise import normalizer

Tokens: TypeAlias = tuple[str, ...]


@lru_cache(maxsize=65536)
def tokens_of(word: str, language: str | None) -> Tokens:
    """A word's tokens: two for ``don't``, none for a dash."""
    return tuple(normalizer("auto", language)(word).split())
