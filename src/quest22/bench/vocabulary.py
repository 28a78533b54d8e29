"""The tokenizer that the package ships, cut or stretched to each of Whisper's vocabulary sizes.

51865 is the vocabulary as shipped; 51866 adds ``<|yue|>`` (large-v3); 51864 drops the last word
(English-only models have one word less, so that every control token moves down by one; their
words differ too, which no test depends on).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

SIZES = (51864, 51865, 51866)


def tokenizer_json(vocab_size: int = 51865) -> dict[str, Any]:
    """A ``tokenizer.json`` document with so many tokens, timestamps included."""
    shipped = resources.files("quest22.checkpoint") / "nano" / "tokenizer.json"
    document: dict[str, Any] = json.loads(shipped.read_text(encoding="utf-8"))
    if vocab_size == 51864:
        _drop_last_word(document)
    elif vocab_size == 51866:
        _add_cantonese(document)
    elif vocab_size != 51865:
        raise ValueError(f"no Whisper vocabulary has {vocab_size} tokens")
    return document


def write_tokenizer(folder: Path, vocab_size: int = 51865) -> None:
    """``tokenizer.json`` and the few settings Transformers wants beside it."""
    (folder / "tokenizer.json").write_text(_text(vocab_size), encoding="utf-8")
    settings = {
        "tokenizer_class": "WhisperTokenizer",
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def write_tokenizer_parts(folder: Path, vocab_size: int = 51865) -> None:
    """The same vocabulary as older checkpoints have it: vocab.json, merges.txt, added tokens."""
    document = tokenizer_json(vocab_size)
    model = document["model"]
    added = {token["content"]: token["id"] for token in document["added_tokens"]}
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8", newline="\n")
    (folder / "added_tokens.json").write_text(json.dumps(added), encoding="utf-8")


@cache
def _text(vocab_size: int) -> str:
    return json.dumps(tokenizer_json(vocab_size), ensure_ascii=False)


@cache
def control_ids(vocab_size: int = 51865) -> Mapping[str, int]:
    """Name → number of every token above the words."""
    return {token["content"]: token["id"] for token in tokenizer_json(vocab_size)["added_tokens"]}


def _drop_last_word(document: dict[str, Any]) -> None:
    model = document["model"]
    last = max(model["vocab"], key=model["vocab"].__getitem__)
    del model["vocab"][last]
    model["merges"] = [pair for pair in model["merges"] if "".join(pair) != last]
    _move(document, first=0, by=-1)


def _add_cantonese(document: dict[str, Any]) -> None:
    tokens = document["added_tokens"]
    at = next(i for i, token in enumerate(tokens) if token["content"] == "<|su|>") + 1
    own = tokens[at - 1] | {"content": "<|yue|>", "id": tokens[at - 1]["id"]}
    _move(document, first=at, by=1)
    tokens.insert(at, own | {"id": own["id"] + 1})


def _move(document: dict[str, Any], first: int, by: int) -> None:
    for token in document["added_tokens"][first:]:
        token["id"] += by
    ids = {token["content"]: token["id"] for token in document["added_tokens"]}
    for name, entry in document["post_processor"]["special_tokens"].items():
        entry["ids"] = [ids[name]]
