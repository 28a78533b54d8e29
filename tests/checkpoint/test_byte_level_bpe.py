from __future__ import annotations

import json
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from quest22.checkpoint.byte_level_bpe import byte_level_tokenizer, bytes_of, merges_of

NANO = resources.files("quest22.checkpoint") / "nano" / "tokenizer.json"
DOCUMENT = json.loads(NANO.read_text(encoding="utf-8"))
SPELT = sorted(DOCUMENT["model"]["vocab"].items(), key=lambda pair: pair[1])
WORDS = [bytes_of(word) for word, _ in SPELT if not word.startswith("<|")]


@pytest.fixture(scope="module")
def made() -> Tokenizer:
    return byte_level_tokenizer(WORDS)


@pytest.fixture(scope="module")
def shipped() -> Tokenizer:
    return Tokenizer.from_str(NANO.read_text(encoding="utf-8"))


def test_merges_are_told_from_ranks_alone() -> None:
    merges = [
        pair if isinstance(pair, list) else pair.split(" ") for pair in DOCUMENT["model"]["merges"]
    ]
    assert merges_of(WORDS) == [(bytes_of(left), bytes_of(right)) for left, right in merges]


@given(st.text(max_size=80))
def test_every_text_is_encoded_as_by_the_whole_tokenizer(
    made: Tokenizer, shipped: Tokenizer, text: str
) -> None:
    encoded = made.encode(text, add_special_tokens=False).ids
    if "<|" not in text:
        assert encoded == shipped.encode(text, add_special_tokens=False).ids
    assert made.decode(encoded) == text


def test_a_token_that_no_pair_makes_is_left_out() -> None:
    assert merges_of([b"a", b"b", b"c", b"ab", b"cab", b"bca"]) == [(b"a", b"b"), (b"c", b"ab")]
