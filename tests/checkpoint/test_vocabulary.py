from __future__ import annotations

import json
from pathlib import Path

import pytest

from quest22.checkpoint.vocabulary import read_tokenizer
from quest22.errors import CheckpointError

VOCABULARY = {"a": 0, "b": 1, "ab": 2}


def write_parts(folder: Path, merges: str, added: dict[str, int] | None) -> Path:
    (folder / "vocab.json").write_text(json.dumps(VOCABULARY))
    (folder / "merges.txt").write_text(merges)
    if added is not None:
        (folder / "added_tokens.json").write_text(json.dumps(added))
    return folder


def test_parts_make_a_tokenizer(tmp_path: Path) -> None:
    added = {"<|endoftext|>": 3, "<|startoftranscript|>": 4, "<|0.00|>": 5}
    tokenizer = read_tokenizer(write_parts(tmp_path, "#version: 0.2\na b\n", added))
    assert tokenizer.encode("abba").ids == [2, 1, 0]
    assert {name: tokenizer.token_to_id(name) for name in added} == added
    assert tokenizer.decode([2, 3, 4], skip_special_tokens=True) == "ab"


def test_the_end_of_text_follows_the_words_where_nothing_is_added(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(write_parts(tmp_path, "a b\n", None))
    assert tokenizer.token_to_id("<|endoftext|>") == 3


def test_the_end_of_text_may_be_among_the_words(tmp_path: Path) -> None:
    write_parts(tmp_path, "a b\n", {"<|startoftranscript|>": 5, "<|0.00|>": 6})
    words = VOCABULARY | {"": 3, "<|endoftext|>": 4}
    (tmp_path / "vocab.json").write_text(json.dumps(words))
    tokenizer = read_tokenizer(tmp_path)
    assert tokenizer.token_to_id("<|endoftext|>") == 4
    assert tokenizer.decode([4, 2, 4], skip_special_tokens=True) == "ab"


DAMAGED = [
    ("a b c\n", None, "expected two tokens on each line"),
    ("a z\n", None, "the tokenizer is damaged"),
    ("a b\n", {"<|startoftranscript|>": 9}, "is not token 9 of the vocabulary in that folder"),
    ("a b\n", {"<|startoftranscript|>": "x"}, "numbers a token x: expected whole numbers"),
]


@pytest.mark.parametrize(("merges", "added", "message"), DAMAGED)
def test_damaged_parts_are_refused(
    tmp_path: Path, merges: str, added: dict[str, int] | None, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_tokenizer(write_parts(tmp_path, merges, added))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"model": {"type": "Nothing"}}'])
def test_a_damaged_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"the tokenizer is damaged|has no BPE model"):
        read_tokenizer(tmp_path)


def test_a_folder_without_a_tokenizer_says_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"no tokenizer: expected tokenizer\.json, or vocab"):
        read_tokenizer(tmp_path)


def test_nothing_is_cut_or_filled_as_in_somebody_s_training(tmp_path: Path) -> None:
    document = {
        "version": "1.0",
        "truncation": {
            "direction": "Right",
            "max_length": 2,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": {
            "strategy": {"Fixed": 9},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "a",
        },
        "added_tokens": [],
        "model": {"type": "BPE", "vocab": VOCABULARY, "merges": []},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    assert read_tokenizer(tmp_path).encode("abab").ids == [0, 1, 0, 1]
