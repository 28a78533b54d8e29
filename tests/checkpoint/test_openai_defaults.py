from __future__ import annotations

import pytest

from quest22.checkpoint.load import load
from quest22.checkpoint.openai_defaults import (
    ALIGNMENT_HEADS,
    control_tokens,
    default_generation,
    non_speech_tokens,
)


@pytest.mark.parametrize(
    ("vocab_size", "first", "languages"),
    [(51864, 50256, 99), (51865, 50257, 99), (51866, 50257, 100)],
)
def test_control_tokens_are_in_openais_order(vocab_size: int, first: int, languages: int) -> None:
    found = control_tokens(vocab_size)
    assert list(found.values()) == list(range(first, first + languages + 8))
    assert found["<|endoftext|>"] == first
    assert found["<|startoftranscript|>"] == first + 1
    assert found["<|en|>"] == first + 2
    assert found["<|notimestamps|>"] == first + languages + 7
    assert ("<|yue|>" in found) == (languages == 100)


def test_heads_lie_in_their_models() -> None:
    for (width, layers, _), heads in ALIGNMENT_HEADS.items():
        assert all(layer < layers and head < width // 64 for layer, head in heads)
        assert len(set(heads)) == len(heads)


def test_the_embedded_checkpoint_says_what_openais_does() -> None:
    checkpoint = load("nano")
    found = default_generation(checkpoint.dimensions, checkpoint.tokens.tokenizer)
    stated = checkpoint.generation
    for name in ("eos_token_id", "decoder_start_token_id", "no_timestamps_token_id", "lang_to_id"):
        assert getattr(found, name) == getattr(stated, name), name


def test_marks_that_nobody_says_are_rising_text_tokens() -> None:
    found = non_speech_tokens(load("nano").tokens.tokenizer)
    assert list(found) == sorted(set(found))
    assert found[-1] < 50257


def test_known_suppression_goes_first() -> None:
    checkpoint = load("nano")
    known = {"suppress_tokens": [1, 2], "begin_suppress_tokens": [3]}
    found = default_generation(checkpoint.dimensions, checkpoint.tokens.tokenizer, known)
    assert (found.suppress_tokens, found.begin_suppress_tokens) == ((1, 2), (3,))
