"""A byte-level BPE tokenizer from nothing but its tokens' bytes in the order of their ranks.

Files of whisper.cpp and old ones of CTranslate2 hold tokens without merges. The rank of a token is
the order in which training made it, so the merges can be told again: a token was made of the two
that the merges before it leave of its bytes (as in Transformers' conversion of tiktoken's files).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from tokenizers import Tokenizer, decoders, models, pre_tokenizers


def byte_level_tokenizer(words: Sequence[bytes]) -> Tokenizer:
    """The tokenizer whose token ``i`` is ``words[i]``, without control tokens."""
    letters = _letters()
    spelt = {word: "".join(letters[byte] for byte in word) for word in words}
    pairs = [(spelt[left], spelt[right]) for left, right in merges_of(words)]
    vocabulary = {spelt[word]: rank for rank, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def merges_of(words: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """The pair that made each token of several bytes, in the order of the tokens.

    Tokens that no pair of earlier ones makes are left out: no text is ever encoded into them.
    """
    ranks = {word: rank for rank, word in enumerate(words)}
    pairs = (_last_pair(word, rank, ranks) for word, rank in ranks.items() if len(word) > 1)
    return [pair for pair in pairs if pair is not None]


def _last_pair(word: bytes, rank: int, ranks: Mapping[bytes, int]) -> tuple[bytes, bytes] | None:
    splits = [
        (word[:cut], word[cut:])
        for cut in range(1, len(word))
        if ranks.get(word[:cut], rank) < rank and ranks.get(word[cut:], rank) < rank
    ]
    if len(splits) < 2:
        return splits[0] if splits else None
    parts = _merged(word, rank, ranks)
    return (parts[0], parts[1]) if len(parts) == 2 else None


def _merged(word: bytes, below: int, ranks: Mapping[bytes, int]) -> list[bytes]:
    """What all merges that came before rank ``below`` leave of a token's bytes."""
    parts = [word[at : at + 1] for at in range(len(word))]
    while len(parts) > 1:
        rank, at = min(
            (ranks.get(parts[at] + parts[at + 1], below), at) for at in range(len(parts) - 1)
        )
        if rank >= below:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def bytes_of(letters: str) -> bytes:
    """The bytes that a token of GPT-2's vocabulary spells. Raises KeyError for other letters."""
    table = _bytes()
    return bytes(table[letter] for letter in letters)


@cache
def _letters() -> Mapping[int, str]:
    """GPT-2's letters for bytes: printable ones for themselves, the others from U+0100 on."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(256 + place) for place, byte in enumerate(others)
    }


@cache
def _bytes() -> Mapping[str, int]:
    return {letter: byte for byte, letter in _letters().items()}
