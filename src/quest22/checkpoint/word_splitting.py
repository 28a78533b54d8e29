"""Groups tokens into words for word timestamps: first whole characters, then whole words.

The rules are openai/whisper's (``split_to_word_tokens`` in ``whisper/tokenizer.py``): languages
written without spaces are split at every character, others before spaces and punctuation.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
_REPLACEMENT_CHARACTER = "�"


class TextTokens(Protocol):
    """The part of :class:`quest22.checkpoint.tokens.Tokens` that is used here."""

    @property
    def eot(self) -> int: ...

    def decode(self, tokens: Sequence[int]) -> str: ...


@dataclass(frozen=True, slots=True)
class TokenWord:
    """A decoded word, including a leading space, and its tokens."""

    text: str
    tokens: tuple[int, ...]


def split_to_words(
    text: Sequence[int], tokens: TextTokens, language: str | None
) -> list[TokenWord]:
    """Group text tokens into words; control and timestamp tokens are left out.

    The words' texts joined are ``tokens.decode(text)``; their tokens joined are the text tokens.
    """
    characters = _split_characters([token for token in text if token < tokens.eot], tokens)
    if language in UNSPACED:
        return characters
    words: list[TokenWord] = []
    for piece in characters:
        if words and not _begins_word(piece.text):
            words[-1] = TokenWord(words[-1].text + piece.text, words[-1].tokens + piece.tokens)
        else:
            words.append(piece)
    return words


def _begins_word(text: str) -> bool:
    return text.startswith(" ") or text.strip() in string.punctuation


def _split_characters(text: Sequence[int], tokens: TextTokens) -> list[TokenWord]:
    """The shortest groups of tokens that decode to whole characters."""
    whole = tokens.decode(text)
    pieces: list[TokenWord] = []
    pending: list[int] = []
    position = 0
    for token in text:
        pending.append(token)
        decoded = tokens.decode(pending)
        if (
            _REPLACEMENT_CHARACTER not in decoded
            or whole[position : position + len(decoded)] == decoded
        ):
            pieces.append(TokenWord(decoded, tuple(pending)))
            position += len(decoded)
            pending = []
    if pending:
        pieces.append(TokenWord(tokens.decode(pending), tuple(pending)))
    return pieces
