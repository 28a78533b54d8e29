"""The embedded model's tokenizer, adapted to each of Whisper's vocabulary sizes.

51865 is the embedded vocabulary; 51866 adds ``<|yue|>`` (large-v3); 51864 drops the last text token
(English-only models have one less, which moves every control token down by one; their text tokens
differ too, but no test depends on that).
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
    """A ``tokenizer.json`` document with ``vocab_size`` tokens, including timestamps."""
    embedded = resources.files("quest22.checkpoint") / "nano" / "tokenizer.json"
    document: dict[str, Any] = json.loads(embedded.read_text(encoding="utf-8"))
    if vocab_size == 51864:
        _drop_last_token(document)
    elif vocab_size == 51866:
        _add_cantonese(document)
    elif vocab_size != 51865:
        raise ValueError(f"no Whisper vocabulary has {vocab_size} tokens")
    return document


def write_tokenizer(folder: Path, vocab_size: int = 51865) -> None:
    """Write ``tokenizer.json`` and the settings that Transformers needs with it."""
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


@cache
def _text(vocab_size: int) -> str:
    return json.dumps(tokenizer_json(vocab_size), ensure_ascii=False)


@cache
def control_ids(vocab_size: int = 51865) -> Mapping[str, int]:
    """Name → id of every control token."""
    return {token["content"]: token["id"] for token in tokenizer_json(vocab_size)["added_tokens"]}


def _drop_last_token(document: dict[str, Any]) -> None:
    model = document["model"]
    last = max(model["vocab"], key=model["vocab"].__getitem__)
    del model["vocab"][last]
    model["merges"] = [pair for pair in model["merges"] if "".join(pair) != last]
    _shift_ids(document, first=0, by=-1)


def _add_cantonese(document: dict[str, Any]) -> None:
    tokens = document["added_tokens"]
    position = next(i for i, token in enumerate(tokens) if token["content"] == "<|su|>") + 1
    cantonese = tokens[position - 1] | {"content": "<|yue|>", "id": tokens[position - 1]["id"]}
    _shift_ids(document, first=position, by=1)
    tokens.insert(position, cantonese | {"id": cantonese["id"] + 1})


def _shift_ids(document: dict[str, Any], first: int, by: int) -> None:
    for token in document["added_tokens"][first:]:
        token["id"] += by
    ids = {token["content"]: token["id"] for token in document["added_tokens"]}
    for name, entry in document["post_processor"]["special_tokens"].items():
        entry["ids"] = [ids[name]]
