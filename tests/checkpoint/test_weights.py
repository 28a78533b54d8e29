from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from quest22.bench.random_checkpoint import Shape, random_tensor, tensor_shapes, write_weights
from quest22.checkpoint.formats.safetensors import Tensor, to_bytes, write_safetensors
from quest22.checkpoint.weights import Weights, shard_names
from quest22.errors import CheckpointError

SHAPE = Shape(16, 2, 1, 1, vocab_size=100)
PRECISION = {"F64": 0.0, "F32": 0.0, "F16": 2**-11, "BF16": 2**-8}


def write_one(folder: Path, values: np.ndarray[Any, Any], dtype: str, name: str = "w") -> Weights:
    content = values.tobytes() if dtype.startswith(("F8", "I")) else to_bytes(values, dtype)
    tensor = Tensor(name, dtype, values.shape, lambda: content)
    write_safetensors(folder / "model.safetensors", [tensor])
    return Weights.open(folder)


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("dtype", PRECISION)
def test_every_type_and_layout_gives_the_same_values(
    tmp_path: Path, dtype: str, shards: int
) -> None:
    weights = Weights.open(write_weights(tmp_path, SHAPE, dtype=dtype, shards=shards))
    expected = dict(tensor_shapes(SHAPE))
    assert set(weights) - {"proj_out.weight"} == expected.keys()
    for name, axes in expected.items():
        found = weights[name]
        assert found.dtype == np.float32
        assert found.shape == weights.shape(name) == axes
        assert weights.dtype(name) == dtype
        np.testing.assert_allclose(
            found, random_tensor(name, axes), rtol=PRECISION[dtype], atol=1e-7
        )


def test_what_is_let_go_is_there_again(tmp_path: Path) -> None:
    values = np.arange(100_000, dtype=np.float32)
    weights = write_one(tmp_path, values, "F32")
    view = weights["w"]
    weights.release()
    np.testing.assert_array_equal(view, values)


def test_names_are_understood_with_and_without_their_prefix(multilingual: Path) -> None:
    weights = Weights.open(multilingual)
    assert "model.encoder.conv1.weight" in weights
    np.testing.assert_array_equal(
        weights["model.encoder.conv1.weight"], weights["encoder.conv1.weight"]
    )
    assert not any(name.startswith("model.") for name in weights)


def test_the_output_is_the_token_embedding_unless_it_has_its_own(
    tmp_path: Path, multilingual: Path
) -> None:
    tied = Weights.open(multilingual)
    assert np.shares_memory(tied.raw("proj_out.weight"), tied.raw("decoder.embed_tokens.weight"))
    embedding, output = np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32)
    tensors = [
        Tensor("model.decoder.embed_tokens.weight", "F32", (3, 2), embedding.tobytes),
        Tensor("proj_out.weight", "F32", (3, 2), output.tobytes),
    ]
    write_safetensors(tmp_path / "model.safetensors", tensors)
    np.testing.assert_array_equal(Weights.open(tmp_path)["proj_out.weight"], output)


def test_a_missing_tensor_is_named(multilingual: Path) -> None:
    weights = Weights.open(multilingual)
    with pytest.raises(CheckpointError, match=r"no tensor 'encoder\.layers\.9\.fc1\.weight'"):
        weights["encoder.layers.9.fc1.weight"]
    assert "encoder.layers.9.fc1.weight" not in weights
    assert 3 not in weights


def test_float32_is_a_view_of_the_file_even_where_it_is_not_aligned(tmp_path: Path) -> None:
    values = np.arange(4, dtype=np.float32)
    weights = write_one(tmp_path, values, "F32")
    assert np.shares_memory(weights["w"], weights.raw("w"))
    header = b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}} '
    header += b" " * (1 - len(header) % 4 % 2)
    moved = len(header).to_bytes(8, "little") + header + values.tobytes()
    (tmp_path / "model.safetensors").write_bytes(moved)
    np.testing.assert_array_equal(Weights.open(tmp_path)["w"], values)


def test_quantised_weights_are_refused_when_they_are_asked_for(tmp_path: Path) -> None:
    weights = write_one(tmp_path, np.array([1, 2], np.int64), "I64")
    assert weights.raw("w").tolist() == [1, 2]
    with pytest.raises(CheckpointError, match="'w' is stored as I64, expected floating point"):
        weights["w"]


SMALL_FLOATS = {
    "F8_E4M3": {0x00: 0.0, 0x38: 1.0, 0xB8: -1.0, 0x7E: 448.0, 0x01: 2**-9, 0x40: 2.0, 0x34: 0.75},
    "F8_E5M2": {0x00: 0.0, 0x3C: 1.0, 0xBC: -1.0, 0x7B: 57344.0, 0x01: 2**-16, 0x7C: np.inf},
}


@pytest.mark.parametrize("dtype", SMALL_FLOATS)
def test_float8_has_the_values_of_its_definition(tmp_path: Path, dtype: str) -> None:
    table = SMALL_FLOATS[dtype]
    weights = write_one(tmp_path, np.array(list(table), np.uint8), dtype)
    assert weights["w"].tolist() == list(table.values())


@pytest.mark.reference
@pytest.mark.parametrize(
    ("dtype", "name"),
    [("F8_E4M3", "float8_e4m3fn"), ("F8_E5M2", "float8_e5m2"), ("BF16", "bfloat16")],
)
def test_small_types_equal_pytorch_s_bit_by_bit(tmp_path: Path, dtype: str, name: str) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    bits = torch.arange(256, dtype=torch.uint8)
    if dtype == "BF16":
        bits = torch.arange(-(2**15), 2**15, dtype=torch.int16)
    values = bits.view(getattr(torch, name))
    save_file({"w": values}, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(Weights.open(tmp_path)["w"], values.float().numpy())


@settings(max_examples=50, deadline=None)
@given(
    values=arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=0, max_dims=4, max_side=5),
        elements=st.floats(-1e4, 1e4, width=32),
    ),
    dtype=st.sampled_from(["F64", "F32", "F16", "BF16"]),
)
def test_values_come_back_within_their_type_s_precision(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray[Any, Any], dtype: str
) -> None:
    weights = write_one(tmp_path_factory.mktemp("w"), values, dtype)
    assert weights["w"].shape == values.shape
    np.testing.assert_allclose(weights["w"], values, rtol=PRECISION[dtype], atol=1e-7)


def test_one_file_is_preferred_to_shards(tmp_path: Path) -> None:
    write_one(tmp_path, np.ones(2, np.float32), "F32", "single")
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "b"}}')
    assert list(Weights.open(tmp_path)) == ["single"]


@pytest.mark.parametrize(
    "shard",
    ["../x.safetensors", "/etc/x.safetensors", "a\\x.safetensors", ".x.safetensors", "x.bin", 3],
)
def test_shards_lie_beside_their_index(tmp_path: Path, shard: object) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": shard}}))
    with pytest.raises(CheckpointError, match=r"expected the name of a \.safetensors file"):
        shard_names(index)


@pytest.mark.parametrize("table", [{}, {"weight_map": {}}, {"weight_map": []}])
def test_an_index_without_a_table_is_refused(tmp_path: Path, table: object) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps(table))
    with pytest.raises(CheckpointError, match="expected an object weight_map"):
        shard_names(index)


def test_a_shard_that_lacks_what_the_index_promises_is_refused(tmp_path: Path) -> None:
    folder = write_weights(tmp_path, SHAPE, dtype="F16", shards=2)
    index = folder / "model.safetensors.index.json"
    document = json.loads(index.read_text())
    document["weight_map"]["model.extra"] = "model-00001-of-00002.safetensors"
    index.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=r"has no 'model\.extra'"):
        Weights.open(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002\.safetensors cannot be read"):
        Weights.open(folder)


def test_the_fingerprint_tells_checkpoints_apart(tmp_path: Path) -> None:
    prints = set()
    for number, made in enumerate([{}, {"seed": 1}, {"dtype": "BF16"}, {"shards": 2}]):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_weights(folder, SHAPE, **({"dtype": "F16"} | made))
        assert Weights.open(folder).fingerprint() == Weights.open(folder).fingerprint()
        prints.add(Weights.open(folder).fingerprint())
    assert len(prints) == 4


def test_the_fingerprint_sees_a_change_to_any_tensor_and_no_touch(tmp_path: Path) -> None:
    folder = write_weights(tmp_path, SHAPE, dtype="F32")
    path = folder / "model.safetensors"
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    before = Weights.open(folder).fingerprint()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    kept = path.read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=times)
    assert Weights.open(folder).fingerprint() != before
    path.write_bytes(kept)
    os.utime(path, ns=times)
    assert Weights.open(folder).fingerprint() == before
    os.utime(path, ns=(times[0], times[1] + 1))
    assert Weights.open(folder).fingerprint() == before
