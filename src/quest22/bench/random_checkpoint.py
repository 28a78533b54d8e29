"""Randomly initialised Whisper checkpoints of any size, made without PyTorch.

    folder = write_checkpoint(tmp_path / "tiny", SHAPES["tiny"], dtype="BF16", shards=2)

The same arguments give the same bytes. The weights are scaled so that activations neither vanish
nor explode and the output, random words, depends on the audio.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.bench.tokenizer_variants import control_ids, write_tokenizer
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.formats.safetensors import Tensor, to_bytes, write_safetensors
from quest22.checkpoint.transformers_files import preprocessor_document
from quest22.checkpoint.weight_shapes import expected_shapes
from quest22.errors import UsageError

_SYMBOLS_ENGLISH = (
    "1 2 7 8 9 10 14 25 26 27 28 29 31 58 59 60 61 62 63 90 91 92 93 357 366 438 532 685 705 796 "
    "930 1058 1220 1267 1279 1303 1343 1377 1391 1635 1782 1875 2162 2361 2488 3467 4008 4211 "
    "4600 4808 5299 5855 6329 7203 9609 9959 10563 10786 11420 11709 11907 13163 13697 13700 "
    "14808 15306 16410 16791 17992 19203 19510 20724 22305 22935 27007 30109 30420 33409 34949 "
    "40283 40493 40549 47282 49146"
)
_SYMBOLS = (
    "1 2 7 8 9 10 14 25 26 27 28 29 31 58 59 60 61 62 63 90 91 92 93 359 503 522 542 873 893 902 "
    "918 922 931 1350 1853 1982 2460 2627 3246 3253 3268 3536 3846 3961 4183 4667 6585 6647 7273 "
    "9061 9383 10428 10929 11938 12033 12331 12562 13793 14157 14635 15265 15618 16553 16604 "
    "18362 18956 20075 21675 22520 26130 26161 26435 28279 29464 31650 32302 32470 36865 42863 "
    "47425 49870 50254"
)
_GAINS = {"q_proj": 2.0, "encoder_attn.out_proj": 0.5, "fc2": 2.0}
"""Factors that sharpen attention and favour text over the mean of the audio, so words vary."""
_SUPPRESSED = (
    "startoftranscript",
    "translate",
    "transcribe",
    "startoflm",
    "startofprev",
    "nospeech",
)


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of a Whisper model; feed-forward layers are four times as wide."""

    d_model: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    mel_bins: int = 80
    vocab_size: int = 51865


SHAPES = {
    "small-test": Shape(64, 2, 2, 2),
    "small-test.en": Shape(64, 2, 2, 2, vocab_size=51864),
    "small-test-v3": Shape(64, 2, 2, 2, mel_bins=128, vocab_size=51866),
    "tiny": Shape(384, 6, 4, 4),
    "tiny.en": Shape(384, 6, 4, 4, vocab_size=51864),
    "base": Shape(512, 8, 6, 6),
    "base.en": Shape(512, 8, 6, 6, vocab_size=51864),
    "small": Shape(768, 12, 12, 12),
    "small.en": Shape(768, 12, 12, 12, vocab_size=51864),
    "medium": Shape(1024, 16, 24, 24),
    "medium.en": Shape(1024, 16, 24, 24, vocab_size=51864),
    "large-v2": Shape(1280, 20, 32, 32),
    "large-v3": Shape(1280, 20, 32, 32, mel_bins=128, vocab_size=51866),
    "large-v3-turbo": Shape(1280, 20, 32, 4, mel_bins=128, vocab_size=51866),
    "distil-small.en": Shape(768, 12, 12, 4, vocab_size=51864),
    "distil-large-v3": Shape(1280, 20, 32, 2, mel_bins=128, vocab_size=51866),
}
"""The shapes of the official checkpoints, and three small ones with their vocabularies."""


def write_checkpoint(
    folder: Path,
    shape: Shape,
    *,
    dtype: str = "F32",
    shards: int = 1,
    seed: int = 0,
    endless: bool = False,
) -> Path:
    """Write a complete checkpoint into ``folder``, which is created, and return the folder.

    ``dtype`` is safetensors' name of a type: F64, F32, F16 or BF16. An ``endless`` checkpoint never
    produces control tokens, so its text ends only at the limit of new tokens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in (
        ("config.json", model_config(shape)),
        ("generation_config.json", generation_config(shape)),
        ("preprocessor_config.json", preprocessor_document(shape.mel_bins)),
    ):
        (folder / name).write_text(json.dumps(document, indent=2), encoding="utf-8")
    write_tokenizer(folder, shape.vocab_size)
    muted_from = control_ids(shape.vocab_size)["<|endoftext|>"] if endless else None
    write_weights(folder, shape, dtype=dtype, shards=shards, seed=seed, muted_from=muted_from)
    return folder


def random_model(folder: Path, shape: str) -> str:
    """The path of an ``endless`` checkpoint of a shape in ``folder``, made if it is not there.

    Raises :class:`UsageError` for an unknown shape.
    """
    if shape not in SHAPES:
        known = ", ".join(name for name in SHAPES if "test" not in name)
        raise UsageError(f"unknown shape {shape!r}: expected one of {known}")
    path = folder / shape
    if not (path / "model.safetensors").exists():
        write_checkpoint(path, SHAPES[shape], endless=True)
    return str(path)


def write_weights(
    folder: Path,
    shape: Shape,
    *,
    dtype: str = "F32",
    shards: int = 1,
    seed: int = 0,
    muted_from: int | None = None,
) -> Path:
    """Write the weights only, into an existing folder.

    Tokens from ``muted_from`` on get embeddings of zero: their logits are 0, far below the best.
    """
    tensors = [
        Tensor(
            f"model.{name}",
            dtype,
            axes,
            partial(_tensor_bytes, name, axes, dtype, seed, muted_from),
        )
        for name, axes in tensor_shapes(shape)
    ]
    _write_shards(folder, tensors, shards)
    return folder


def model_config(shape: Shape) -> dict[str, Any]:
    """``config.json`` as Transformers writes it."""
    eot = control_ids(shape.vocab_size)["<|endoftext|>"]
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": "gelu",
        "d_model": shape.d_model,
        "encoder_attention_heads": shape.heads,
        "encoder_ffn_dim": 4 * shape.d_model,
        "encoder_layers": shape.encoder_layers,
        "decoder_attention_heads": shape.heads,
        "decoder_ffn_dim": 4 * shape.d_model,
        "decoder_layers": shape.decoder_layers,
        "num_mel_bins": shape.mel_bins,
        "max_source_positions": 1500,
        "max_target_positions": 448,
        "vocab_size": shape.vocab_size,
        "scale_embedding": False,
        "is_encoder_decoder": True,
        "tie_word_embeddings": True,
        "bos_token_id": eot,
        "eos_token_id": eot,
        "pad_token_id": eot,
        "decoder_start_token_id": eot + 1,
    }


def generation_config(shape: Shape) -> dict[str, Any]:
    """``generation_config.json`` with the fields and values of the official checkpoints."""
    ids = control_ids(shape.vocab_size)
    eot = ids["<|endoftext|>"]
    multilingual = shape.vocab_size > 51864
    symbols = _SYMBOLS if multilingual else _SYMBOLS_ENGLISH
    document: dict[str, Any] = {
        "alignment_heads": [
            [layer, 0] for layer in range(shape.decoder_layers // 2, shape.decoder_layers)
        ],
        "begin_suppress_tokens": [220, eot],
        "bos_token_id": eot,
        "decoder_start_token_id": eot + 1,
        "eos_token_id": eot,
        "pad_token_id": eot,
        "is_multilingual": multilingual,
        "max_initial_timestamp_index": 50,
        "max_length": 448,
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "prev_sot_token_id": ids["<|startofprev|>"],
        "return_timestamps": False,
        "suppress_tokens": [
            *map(int, symbols.split()),
            *(ids[f"<|{name}|>"] for name in _SUPPRESSED),
        ],
    }
    if not multilingual:
        return document | {"forced_decoder_ids": [[1, ids["<|notimestamps|>"]]]}
    first, last = ids["<|startoftranscript|>"], ids["<|translate|>"]
    return document | {
        "forced_decoder_ids": [[1, None], [2, ids["<|transcribe|>"]]],
        "lang_to_id": {name: i for name, i in ids.items() if first < i < last},
        "task_to_id": {task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")},
    }


def tensor_shapes(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(name, shape) of every tensor in the file, without the tied ``proj_out.weight``."""
    dimensions = Dimensions(
        d_model=shape.d_model,
        encoder_layers=shape.encoder_layers,
        encoder_heads=shape.heads,
        encoder_ffn=4 * shape.d_model,
        decoder_layers=shape.decoder_layers,
        decoder_heads=shape.heads,
        decoder_ffn=4 * shape.d_model,
        mel_bins=shape.mel_bins,
        max_source_positions=1500,
        max_target_positions=448,
        vocab_size=shape.vocab_size,
    )
    return (named for named in expected_shapes(dimensions) if named[0] != "proj_out.weight")


def random_tensor(name: str, axes: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    """A tensor's float32 values, a function of its name, shape and seed."""
    if name == "encoder.embed_positions.weight":
        return _sinusoids(*axes)
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    values = random.standard_normal(axes, dtype=np.float32)
    if name.endswith("bias"):
        return values * np.float32(0.02)
    if "layer_norm" in name:
        return 1 + values * np.float32(0.05)
    if "embed" in name:
        return values * np.float32(0.05)
    gain = next((gain for part, gain in _GAINS.items() if part in name), 1.0)
    return values * np.float32(gain * int(np.prod(axes[1:])) ** -0.5)


def _sinusoids(length: int, channels: int) -> NDArray[np.float32]:
    """Sines, then cosines, of geometrically falling frequencies, as in Whisper's encoder."""
    rates = np.exp(-np.log(10_000.0) * np.arange(channels // 2) / (channels // 2 - 1))
    angles = np.arange(length)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _tensor_bytes(
    name: str, axes: tuple[int, ...], dtype: str, seed: int, muted_from: int | None
) -> bytes:
    values = random_tensor(name, axes, seed)
    if name == "decoder.embed_tokens.weight" and muted_from is not None:
        values[muted_from:] = 0
    return to_bytes(values, dtype)


def _write_shards(folder: Path, tensors: list[Tensor], shards: int) -> None:
    if shards == 1:
        write_safetensors(folder / "model.safetensors", tensors)
        return
    per_shard = -(-len(tensors) // shards)
    weight_map: dict[str, str] = {}
    total = 0
    for number in range(shards):
        name = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        part = tensors[number * per_shard : (number + 1) * per_shard]
        total += write_safetensors(folder / name, part)
        weight_map |= {tensor.name: name for tensor in part}
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
