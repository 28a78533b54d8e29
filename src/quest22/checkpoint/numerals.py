"""The tokens that hold a digit or a currency sign, for texts that spell numbers out.

The signs are those of WhisperX (``find_numeral_symbol_tokens``).
"""

from __future__ import annotations

from quest22.checkpoint.tokens import Tokens

SIGNS = frozenset("0123456789%$£")


def numeral_tokens(tokens: Tokens) -> tuple[int, ...]:
    """All text tokens with such a sign, in order."""
    return tuple(token for token in range(tokens.eot) if SIGNS & set(tokens.decode([token])))
