"""Writes a checkpoint as the ggml file that whisper.cpp reads.

The layout is that of ``whisper_model_load`` in whisper.cpp: magic, eleven dimensions, mel filters,
the vocabulary as bytes, then tensors by openai/whisper's names; matrices and kernels in float16.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from quest22.audio.log_mel import mel_filters
from quest22.checkpoint.byte_level_bpe import bytes_of
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.load import load
from quest22.checkpoint.vocabulary import read_tokenizer

MAGIC = 0x67676D6C
FLOAT32, FLOAT16 = 0, 1
_RENAMED = (
    ("layers.", "blocks."),
    ("encoder_attn_layer_norm", "cross_attn_ln"),
    ("self_attn_layer_norm", "attn_ln"),
    ("final_layer_norm", "mlp_ln"),
    ("encoder_attn.", "cross_attn."),
    ("self_attn.", "attn."),
    ("q_proj", "query"),
    ("k_proj", "key"),
    ("v_proj", "value"),
    ("out_proj", "out"),
    ("fc1", "mlp.0"),
    ("fc2", "mlp.2"),
    ("decoder.layer_norm", "decoder.ln"),
    ("encoder.layer_norm", "encoder.ln_post"),
    ("embed_tokens.weight", "token_embedding.weight"),
    ("embed_positions.weight", "positional_embedding"),
)


def write_ggml(model: str, path: Path) -> None:
    """Write the checkpoint of this name as a ggml file."""
    checkpoint = load(model)
    with path.open("wb") as file:
        _write_header(file, checkpoint.dimensions)
        _write_vocabulary(file, checkpoint.folder)
        for name in checkpoint.weights:
            if not name.startswith("proj_out"):
                _write_tensor(file, ggml_name(name), checkpoint.weights[name])


def ggml_name(name: str) -> str:
    """Transformers' tensor name → openai/whisper's."""
    for before, after in _RENAMED:
        name = name.replace(before, after)
    return name


def _write_header(file: BinaryIO, dims: Dimensions) -> None:
    shape = (
        dims.vocab_size,
        dims.max_source_positions,
        dims.d_model,
        dims.encoder_heads,
        dims.encoder_layers,
        dims.max_target_positions,
        dims.d_model,
        dims.decoder_heads,
        dims.decoder_layers,
        dims.mel_bins,
        FLOAT16,
    )
    filters = mel_filters(dims.mel_bins)
    file.write(struct.pack("<12i", MAGIC, *shape))
    file.write(struct.pack("<2i", *filters.shape))
    file.write(np.ascontiguousarray(filters).tobytes())


def _write_vocabulary(file: BinaryIO, folder: Path) -> None:
    """Every text token as bytes; whisper.cpp knows the control tokens by their ids."""
    ids = read_tokenizer(folder).get_vocab(with_added_tokens=False)
    tokens = [token for token in sorted(ids, key=ids.__getitem__) if not token.startswith("<|")]
    file.write(struct.pack("<i", len(tokens)))
    for token in tokens:
        content = bytes_of(token)
        file.write(struct.pack("<I", len(content)) + content)


def _write_tensor(file: BinaryIO, name: str, values: NDArray[np.float32]) -> None:
    if name.startswith("encoder.conv") and name.endswith("bias"):
        values = values[:, None]
    is_float32 = values.ndim < 2 or name.endswith(("bias", "positional_embedding"))
    kind, stored = (FLOAT32, values) if is_float32 else (FLOAT16, values.astype(np.float16))
    encoded = name.encode()
    file.write(struct.pack("<3i", values.ndim, len(encoded), kind))
    file.write(struct.pack(f"<{values.ndim}i", *reversed(values.shape)))
    file.write(encoded + np.ascontiguousarray(stored).tobytes())
