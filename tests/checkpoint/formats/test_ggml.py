from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quest22.bench.peers.ggml import write_ggml
from quest22.checkpoint.byte_level_bpe import bytes_of
from quest22.checkpoint.formats.ggml import GgmlFile, is_ggml, transformers_name
from quest22.checkpoint.load import Checkpoint, load
from quest22.errors import CheckpointError

Q8_0 = 8


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ggml") / "ggml-nano.bin"
    write_ggml("nano", path)
    return path


def test_shape_and_tokens(nano: Checkpoint, path: Path) -> None:
    file, dims = GgmlFile(path), nano.dimensions
    assert is_ggml(path)
    assert file.sizes == {
        "vocab_size": dims.vocab_size,
        "max_source_positions": 1500,
        "encoder_d_model": dims.d_model,
        "encoder_heads": dims.encoder_heads,
        "encoder_layers": dims.encoder_layers,
        "max_target_positions": dims.max_target_positions,
        "decoder_d_model": dims.d_model,
        "decoder_heads": dims.decoder_heads,
        "decoder_layers": dims.decoder_layers,
        "mel_bins": dims.mel_bins,
    }
    assert len(file.tokens) == 50257
    assert file.tokens[262] == bytes_of(nano.tokens.tokenizer.id_to_token(262))


def test_all_tensors_are_there_by_transformers_names(nano: Checkpoint, path: Path) -> None:
    file = GgmlFile(path)
    assert set(file.entries) == set(nano.weights) - {"proj_out.weight"}
    for name in file.entries:
        assert file.entries[name].shape == nano.weights.shape(name)
        half = file.entries[name].dtype == "F16"
        whole = nano.weights[name]
        np.testing.assert_array_equal(file.raw(name), whole.astype(np.float16) if half else whole)
    rows = np.array([5, 1])
    name = "decoder.embed_tokens.weight"
    np.testing.assert_array_equal(file.rows(name, rows), file.raw(name)[rows])


def _in_blocks(path: Path, name: str, whole: np.ndarray) -> bytes:
    """The file with one more tensor, in q8_0."""
    blocks = whole.reshape(-1, 32)
    scale = (np.abs(blocks).max(axis=1, keepdims=True) / 127).astype(np.float16)
    numbers = np.rint(blocks / scale.astype(np.float32)).astype(np.int8)
    stored = np.concatenate([scale.view(np.uint8), numbers.view(np.uint8)], axis=1)
    head = struct.pack("<3i2i", 2, len(name), Q8_0, *reversed(whole.shape)) + name.encode()
    return path.read_bytes() + head + stored.tobytes()


def test_blocks_become_numbers(path: Path, tmp_path: Path) -> None:
    whole = np.random.default_rng(1).standard_normal((6, 64)).astype(np.float32)
    (tmp_path / "q8.bin").write_bytes(_in_blocks(path, "decoder.extra", whole))
    file = GgmlFile(tmp_path / "q8.bin")
    read = file.raw("decoder.extra")
    assert read.dtype == np.float32
    assert np.abs(read - whole).max() < np.abs(whole).max() / 127
    rows = np.array([4, 0])
    np.testing.assert_array_equal(file.rows("decoder.extra", rows), read[rows])


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("encoder.blocks.3.attn.query.weight", "encoder.layers.3.self_attn.q_proj.weight"),
        ("decoder.blocks.0.cross_attn.out.bias", "decoder.layers.0.encoder_attn.out_proj.bias"),
        ("decoder.blocks.0.cross_attn_ln.bias", "decoder.layers.0.encoder_attn_layer_norm.bias"),
        ("decoder.blocks.0.attn_ln.bias", "decoder.layers.0.self_attn_layer_norm.bias"),
        ("decoder.ln.weight", "decoder.layer_norm.weight"),
        ("encoder.ln_post.weight", "encoder.layer_norm.weight"),
        ("decoder.positional_embedding", "decoder.embed_positions.weight"),
        ("decoder.token_embedding.weight", "decoder.embed_tokens.weight"),
        ("decoder.blocks.2.mlp.2.bias", "decoder.layers.2.fc2.bias"),
    ],
)
def test_names(theirs: str, ours: str) -> None:
    assert transformers_name(theirs) == ours


def test_an_unknown_format_is_named(path: Path, tmp_path: Path) -> None:
    head = struct.pack("<3i2i", 2, 1, 12, 32, 1) + b"x"
    (tmp_path / "q4_k.bin").write_bytes(path.read_bytes() + head)
    with pytest.raises(
        CheckpointError, match=r"'x' has ggml's number format 12, .* expected f32, f16, q4_0"
    ):
        GgmlFile(tmp_path / "q4_k.bin")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(cut=st.integers(0, 4000), flip=st.integers(0, 4000), value=st.integers(0, 255))
def test_damage_is_one_clear_error(
    path: Path, tmp_path: Path, cut: int, flip: int, value: int
) -> None:
    whole = path.read_bytes()
    damaged = bytearray(whole[: len(whole) - cut])
    damaged[flip] = value
    copy = tmp_path / "damaged.bin"
    copy.write_bytes(damaged)
    with suppress(CheckpointError):  # never another error
        GgmlFile(copy)
