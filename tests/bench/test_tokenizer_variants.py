from __future__ import annotations

import pytest

from quest22.bench.tokenizer_variants import SIZES, control_ids, tokenizer_json


@pytest.mark.parametrize("size", SIZES)
def test_ids_are_unique_and_fill_the_vocabulary(size):
    document = tokenizer_json(size)
    ids = {*document["model"]["vocab"].values(), *control_ids(size).values()}
    assert ids == set(range(size))


def test_variants_shift_the_control_tokens():
    english, multilingual, v3 = (control_ids(size) for size in SIZES)
    assert english["<|endoftext|>"] == multilingual["<|endoftext|>"] - 1
    assert v3["<|endoftext|>"] == multilingual["<|endoftext|>"]
    assert v3["<|yue|>"] == v3["<|su|>"] + 1
    assert v3["<|translate|>"] == multilingual["<|translate|>"] + 1


def test_no_other_size_exists():
    with pytest.raises(ValueError, match="no Whisper vocabulary has 100 tokens"):
        tokenizer_json(100)
