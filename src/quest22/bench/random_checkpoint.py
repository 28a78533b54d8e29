"""Randomly initialised Whisper checkpoints of any shape, made without PyTorch.

    folder = write_checkpoint(tmp_path / "tiny", SHAPES["tiny"], dtype="BF16", shards=2)

The same arguments give the same bytes. The weights are scaled so that signals neither die nor
explode and the output depends on the sound; what comes out is random words.
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

from quest22.bench.safetensors_file import Tensor, to_bytes, write_safetensors
from quest22.bench.vocabulary import control_ids, write_tokenizer

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
"""Sharper attention, more of the text and less of the mean sound, so that words vary."""
_NEVER = ("startoftranscript", "translate", "transcribe", "startoflm", "startofprev", "nospeech")


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of a Whisper model; the feed-forward layers are four times as wide."""

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
"""The true shapes, and three small ones with the true vocabularies."""


def write_checkpoint(
    folder: Path,
    shape: Shape,
    *,
    dtype: str = "F32",
    shards: int = 1,
    seed: int = 0,
    endless: bool = False,
) -> Path:
    """Make a whole checkpoint in ``folder`` (created) and give the folder.

    ``dtype`` is safetensors' name of a type: F64, F32, F16 or BF16. An ``endless`` one never
    chooses a control token, the end of text among them, so it speaks as long as it may.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in (
        ("config.json", model_config(shape)),
        ("generation_config.json", generation_config(shape)),
        ("preprocessor_config.json", preprocessor_config(shape)),
    ):
        (folder / name).write_text(json.dumps(document, indent=2), encoding="utf-8")
    write_tokenizer(folder, shape.vocab_size)
    muted = control_ids(shape.vocab_size)["<|endoftext|>"] if endless else None
    write_weights(folder, shape, dtype=dtype, shards=shards, seed=seed, muted_from=muted)
    return folder


def write_weights(
    folder: Path,
    shape: Shape,
    *,
    dtype: str = "F32",
    shards: int = 1,
    seed: int = 0,
    muted_from: int | None = None,
) -> Path:
    """Only the weights of such a checkpoint, into a folder that exists.

    Tokens from ``muted_from`` on have embeddings of zero: their logits are 0, far below the best.
    """
    tensors = [
        Tensor(f"model.{name}", dtype, axes, partial(_stored, name, axes, dtype, seed, muted_from))
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
        "suppress_tokens": [*map(int, symbols.split()), *(ids[f"<|{name}|>"] for name in _NEVER)],
    }
    if not multilingual:
        return document | {"forced_decoder_ids": [[1, ids["<|notimestamps|>"]]]}
    first, last = ids["<|startoftranscript|>"], ids["<|translate|>"]
    return document | {
        "forced_decoder_ids": [[1, None], [2, ids["<|transcribe|>"]]],
        "lang_to_id": {name: i for name, i in ids.items() if first < i < last},
        "task_to_id": {task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")},
    }


def preprocessor_config(shape: Shape) -> dict[str, Any]:
    """``preprocessor_config.json``: the log-mel settings, the same for every Whisper."""
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": shape.mel_bins,
        "sampling_rate": 16000,
        "chunk_length": 30,
        "hop_length": 160,
        "n_fft": 400,
        "n_samples": 480000,
        "nb_max_frames": 3000,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


def tensor_shapes(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor of the model by Transformers' name, without the leading ``model.``."""
    d = shape.d_model
    yield "encoder.conv1.weight", (d, shape.mel_bins, 3)
    yield "encoder.conv1.bias", (d,)
    yield "encoder.conv2.weight", (d, d, 3)
    yield "encoder.conv2.bias", (d,)
    yield "encoder.embed_positions.weight", (1500, d)
    yield "decoder.embed_tokens.weight", (shape.vocab_size, d)
    yield "decoder.embed_positions.weight", (448, d)
    for side, layers in (("encoder", shape.encoder_layers), ("decoder", shape.decoder_layers)):
        for layer in range(layers):
            for name, axes in _layer_shapes(d, crossed=side == "decoder"):
                yield f"{side}.layers.{layer}.{name}", axes
        yield from _norm_shapes(f"{side}.layer_norm", d)


def _layer_shapes(d: int, *, crossed: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    for attention in ("self_attn", "encoder_attn") if crossed else ("self_attn",):
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield f"{attention}.{part}.weight", (d, d)
            if part != "k_proj":
                yield f"{attention}.{part}.bias", (d,)
        yield from _norm_shapes(f"{attention}_layer_norm", d)
    yield "fc1.weight", (4 * d, d)
    yield "fc1.bias", (4 * d,)
    yield "fc2.weight", (d, 4 * d)
    yield "fc2.bias", (d,)
    yield from _norm_shapes("final_layer_norm", d)


def _norm_shapes(name: str, d: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (d,)
    yield f"{name}.bias", (d,)


def random_tensor(name: str, axes: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    """The float32 values of a tensor: a function of its name, its shape and the seed."""
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
    """Sines, then cosines, of geometrically falling frequencies, as Whisper's encoder has them."""
    rates = np.exp(-np.log(10_000.0) * np.arange(channels // 2) / (channels // 2 - 1))
    angles = np.arange(length)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _stored(
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
    share = -(-len(tensors) // shards)
    placed: dict[str, str] = {}
    total = 0
    for number in range(shards):
        name = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        part = tensors[number * share : (number + 1) * share]
        total += write_safetensors(folder / name, part)
        placed |= {tensor.name: name for tensor in part}
    index = {"metadata": {"total_size": total}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
