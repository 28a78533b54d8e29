from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from quest22.audio.log_mel import mel_filters
from quest22.bench.peers.ggml import MAGIC, ggml_name, write_ggml
from quest22.bench.workload import Workload
from quest22.checkpoint.load import load

NAMES = {
    "encoder.conv1.bias": "encoder.conv1.bias",
    "encoder.embed_positions.weight": "encoder.positional_embedding",
    "encoder.layers.3.self_attn.q_proj.weight": "encoder.blocks.3.attn.query.weight",
    "encoder.layers.3.self_attn_layer_norm.bias": "encoder.blocks.3.attn_ln.bias",
    "encoder.layer_norm.weight": "encoder.ln_post.weight",
    "decoder.layers.0.encoder_attn.out_proj.bias": "decoder.blocks.0.cross_attn.out.bias",
    "decoder.layers.0.encoder_attn_layer_norm.bias": "decoder.blocks.0.cross_attn_ln.bias",
    "decoder.layers.0.fc1.weight": "decoder.blocks.0.mlp.0.weight",
    "decoder.layers.0.final_layer_norm.weight": "decoder.blocks.0.mlp_ln.weight",
    "decoder.layer_norm.bias": "decoder.ln.bias",
    "decoder.embed_tokens.weight": "decoder.token_embedding.weight",
}


def test_names_are_those_of_openai() -> None:
    assert {name: ggml_name(name) for name in NAMES} == NAMES


def test_a_file_holds_all_there_is(workload: Workload, tmp_path: Path) -> None:
    path = tmp_path / "ggml.bin"
    write_ggml(workload.model, path)
    content = path.read_bytes()
    header = struct.unpack_from("<12i", content)
    assert header == (MAGIC, 51865, 1500, 64, 2, 2, 448, 64, 2, 2, 80, 1)
    assert struct.unpack_from("<2i", content, 48) == (80, 201)
    at = 56 + 80 * 201 * 4
    assert content[56:at] == mel_filters(80).tobytes()
    words, at = words_from(content, at)
    assert (len(words), words[0], words[220], words[264]) == (50257, b"!", b" ", b" the")
    tensors = tensors_from(content, at)
    weights = load(workload.model).weights
    assert len(tensors) == len([name for name in weights if not name.startswith("proj_out")])
    key = tensors["decoder.blocks.1.attn.key.weight"]
    assert np.array_equal(key, weights["decoder.layers.1.self_attn.k_proj.weight"])
    assert tensors["encoder.conv2.bias"].shape == (64, 1)


def words_from(content: bytes, at: int) -> tuple[list[bytes], int]:
    (count,) = struct.unpack_from("<i", content, at)
    at, words = at + 4, []
    for _ in range(count):
        (size,) = struct.unpack_from("<I", content, at)
        words.append(content[at + 4 : at + 4 + size])
        at += 4 + size
    return words, at


def tensors_from(content: bytes, at: int) -> dict[str, np.ndarray]:
    tensors = {}
    while at < len(content):
        axes, length, kind = struct.unpack_from("<3i", content, at)
        shape = struct.unpack_from(f"<{axes}i", content, at + 12)[::-1]
        at += 12 + 4 * axes
        name = content[at : at + length].decode()
        values = np.frombuffer(
            content, ("<f4", "<f2")[kind], int(np.prod(shape)), offset=at + length
        )
        tensors[name] = values.reshape(shape)
        at += length + values.nbytes
    return tensors
