"""Tokens grouped into words, for times of words: whole characters first, then whole words.

The rules are those of openai/whisper (``whisper/tokenizer.py``): languages written without spaces
are split at every character, others where a space or punctuation begins.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
_BROKEN = "�"


class TextTokens(Protocol):
    """What is needed of a checkpoint's tokens: see :class:`quest22.checkpoint.tokens.Tokens`."""

    @property
    def eot(self) -> int: ...

    def decode(self, tokens: Sequence[int]) -> str: ...


@dataclass(frozen=True, slots=True)
class TokenWord:
    """A word as decoded, a leading space included, and the tokens that make it."""

    text: str
    tokens: tuple[int, ...]


def split_to_words(
    text: Sequence[int], tokens: TextTokens, language: str | None
) -> list[TokenWord]:
    """Group text tokens into words; control and timestamp tokens are left out.

    The words' texts joined are ``tokens.decode(text)``, their tokens joined are the text tokens.
    """
    pieces = _characters([token for token in text if token < tokens.eot], tokens)
    if language in UNSPACED:
        return pieces
    words: list[TokenWord] = []
    for piece in pieces:
        if words and not _begins_word(piece.text):
            words[-1] = TokenWord(words[-1].text + piece.text, words[-1].tokens + piece.tokens)
        else:
            words.append(piece)
    return words


def _begins_word(text: str) -> bool:
    return text.startswith(" ") or text.strip() in string.punctuation


def _characters(text: Sequence[int], tokens: TextTokens) -> list[TokenWord]:
    """The fewest tokens each that decode to whole characters."""
    whole = tokens.decode(text)
    pieces: list[TokenWord] = []
    pending: list[int] = []
    at = 0
    for token in text:
        pending.append(token)
        decoded = tokens.decode(pending)
        if _BROKEN not in decoded or whole[at : at + len(decoded)] == decoded:
            pieces.append(TokenWord(decoded, tuple(pending)))
            at += len(decoded)
            pending = []
    if pending:
        pieces.append(TokenWord(tokens.decode(pending), tuple(pending)))
    return pieces
