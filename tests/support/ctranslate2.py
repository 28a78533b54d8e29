"""Writes CTranslate2 models to be read back: any checkpoint, any number format."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.load import Checkpoint

ALIASES = {"decoder/projection/weight": "decoder/embeddings/weight"}
"""As the converter writes them: the output's matrix is the embedding."""

INT8_ALIASES = ALIASES | {f"{alias}_scale": f"{name}_scale" for alias, name in ALIASES.items()}

TYPES = {"float32": 0, "int8": 1, "int16": 2, "float16": 4, "bfloat16": 5}


def write_folder(checkpoint: Checkpoint, folder: Path) -> Path:
    """What faster-whisper reads of a checkpoint."""
    write_model(folder / "model.bin", whisper_variables(checkpoint), ALIASES)
    generation = checkpoint.generation
    config = {
        "alignment_heads": [list(pair) for pair in generation.alignment_heads],
        "lang_ids": sorted(generation.lang_to_id.values()),
        "suppress_ids": list(generation.suppress_tokens),
        "suppress_ids_begin": list(generation.begin_suppress_tokens),
    }
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(checkpoint.folder / "tokenizer.json", folder)
    return folder


def write_model(
    path: Path, variables: Mapping[str, NDArray[Any]], aliases: Mapping[str, str]
) -> None:
    """Variables as they are; uint16 stands for bfloat16."""
    with path.open("wb") as file:
        file.write(
            struct.pack("<I", 6) + _text("WhisperSpec") + struct.pack("<II", 3, len(variables))
        )
        for name, values in variables.items():
            kind = 5 if values.dtype == np.uint16 else TYPES[values.dtype.name]
            content = np.ascontiguousarray(values).tobytes()
            file.write(_text(name) + struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape))
            file.write(struct.pack("<BI", kind, len(content)) + content)
        file.write(struct.pack("<I", len(aliases)))
        for alias, name in aliases.items():
            file.write(_text(alias) + _text(name))


def whisper_variables(checkpoint: Checkpoint, kind: str = "float32") -> dict[str, NDArray[Any]]:
    """A checkpoint's tensors as CTranslate2's converter names, joins and rounds them."""
    weights, dims = checkpoint.weights, checkpoint.dimensions
    plain: dict[str, NDArray[np.float32]] = {}

    def put(theirs: str, ours: str) -> None:
        for part in ("weight", "bias"):
            if f"{ours}.{part}" in weights:
                plain[f"{theirs}/{part}"] = weights[f"{ours}.{part}"]

    def norm(theirs: str, ours: str) -> None:
        plain[f"{theirs}/gamma"] = weights[f"{ours}.weight"]
        plain[f"{theirs}/beta"] = weights[f"{ours}.bias"]

    def join(theirs: str, ours: str, names: tuple[str, ...]) -> None:
        zero = np.zeros(dims.d_model, np.float32)
        plain[f"{theirs}/weight"] = np.concatenate([weights[f"{ours}.{n}.weight"] for n in names])
        biases = [zero if n == "k_proj" else weights[f"{ours}.{n}.bias"] for n in names]
        plain[f"{theirs}/bias"] = np.concatenate(biases)

    for name in ("conv1", "conv2"):
        put(f"encoder/{name}", f"encoder.{name}")
    for side, count in (("encoder", dims.encoder_layers), ("decoder", dims.decoder_layers)):
        plain[f"{side}/position_encodings/encodings"] = weights[f"{side}.embed_positions.weight"]
        norm(f"{side}/layer_norm", f"{side}.layer_norm")
        for layer in range(count):
            theirs, ours = f"{side}/layer_{layer}", f"{side}.layers.{layer}"
            join(
                f"{theirs}/self_attention/linear_0",
                f"{ours}.self_attn",
                ("q_proj", "k_proj", "v_proj"),
            )
            put(f"{theirs}/self_attention/linear_1", f"{ours}.self_attn.out_proj")
            norm(f"{theirs}/self_attention/layer_norm", f"{ours}.self_attn_layer_norm")
            if side == "decoder":
                put(f"{theirs}/attention/linear_0", f"{ours}.encoder_attn.q_proj")
                join(f"{theirs}/attention/linear_1", f"{ours}.encoder_attn", ("k_proj", "v_proj"))
                put(f"{theirs}/attention/linear_2", f"{ours}.encoder_attn.out_proj")
                norm(f"{theirs}/attention/layer_norm", f"{ours}.encoder_attn_layer_norm")
            put(f"{theirs}/ffn/linear_0", f"{ours}.fc1")
            put(f"{theirs}/ffn/linear_1", f"{ours}.fc2")
            norm(f"{theirs}/ffn/layer_norm", f"{ours}.final_layer_norm")
    plain["decoder/embeddings/weight"] = weights["decoder.embed_tokens.weight"]
    stored = dict(_stored(plain, kind))
    stored["encoder/num_heads"] = np.array(dims.encoder_heads, np.int16)
    stored["decoder/num_heads"] = np.array(dims.decoder_heads, np.int16)
    return stored


def _stored(plain: Mapping[str, NDArray[np.float32]], kind: str) -> Any:
    for name, values in plain.items():
        quantized = kind == "int8" and values.ndim == 2 and "encodings" not in name
        if quantized:
            scale = 127 / np.abs(values).max(axis=1)
            yield name, np.rint(values * scale[:, None]).astype(np.int8)
            yield f"{name}_scale", scale.astype(np.float32)
        elif kind == "bfloat16":
            yield name, (values.view(np.uint32) >> 16).astype(np.uint16)
        else:
            yield name, values.astype(np.float16 if kind == "float16" else np.float32)


def _text(text: str) -> bytes:
    encoded = text.encode() + b"\0"
    return struct.pack("<H", len(encoded)) + encoded
