from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quest22.checkpoint.formats.ctranslate2 import CTranslate2File
from quest22.checkpoint.load import Checkpoint, load
from quest22.errors import CheckpointError
from tests.support.ctranslate2 import ALIASES, INT8_ALIASES, whisper_variables, write_model


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


def written(nano: Checkpoint, folder: Path, kind: str) -> CTranslate2File:
    aliases = INT8_ALIASES if kind == "int8" else ALIASES
    write_model(folder / "model.bin", whisper_variables(nano, kind), aliases)
    return CTranslate2File(folder / "model.bin")


def test_all_tensors_are_there_as_they_were(nano: Checkpoint, tmp_path: Path) -> None:
    file = written(nano, tmp_path, "float32")
    assert set(file.entries) == set(nano.weights)
    assert file.heads == {
        "encoder": nano.dimensions.encoder_heads,
        "decoder": nano.dimensions.decoder_heads,
    }
    for name in nano.weights:
        assert file.entries[name].shape == nano.weights.shape(name)
        np.testing.assert_array_equal(file.raw(name), nano.weights[name])


@pytest.mark.parametrize(("kind", "dtype"), [("float16", "F16"), ("bfloat16", "BF16")])
def test_halves_come_as_stored(nano: Checkpoint, tmp_path: Path, kind: str, dtype: str) -> None:
    file = written(nano, tmp_path, kind)
    name = "decoder.layers.0.encoder_attn.v_proj.weight"
    assert file.entries[name].dtype == dtype
    assert file.raw(name).itemsize == 2
    assert file.raw(name).shape == nano.weights.shape(name)


def test_int8_is_divided_by_its_row_s_scale(nano: Checkpoint, tmp_path: Path) -> None:
    file = written(nano, tmp_path, "int8")
    for name in ("decoder.layers.0.self_attn.k_proj.weight", "proj_out.weight"):
        whole = nano.weights[name]
        step = np.abs(whole).max(axis=1, keepdims=True) / 127
        assert file.entries[name].dtype == "F32"
        assert np.all(np.abs(file.raw(name) - whole) <= step * 0.501)


@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_rows_are_those_of_the_whole(nano: Checkpoint, tmp_path: Path, kind: str) -> None:
    file = written(nano, tmp_path, kind)
    for name in ("decoder.embed_tokens.weight", "decoder.layers.0.encoder_attn.v_proj.weight"):
        rows = np.array([3, 0, 17])
        np.testing.assert_array_equal(file.rows(name, rows), file.raw(name)[rows])
        np.testing.assert_array_equal(file.rows(name, slice(2, 5)), file.raw(name)[2:5])


@pytest.mark.parametrize(
    ("start", "content", "message"),
    [
        (0, b"\x05", "format 5, expected 6: convert the model again"),
        (6, b"Gopher", "'GopherrSpec', expected 'WhisperSpec'"),
        (22, b"\xff\xff\xff\xff", "claims 4294967295 variables"),
    ],
)
def test_what_is_no_model_is_refused(
    nano: Checkpoint, tmp_path: Path, start: int, content: bytes, message: str
) -> None:
    path = written(nano, tmp_path, "float16").path
    whole = bytearray(path.read_bytes())
    whole[start : start + len(content)] = content
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match=message):
        CTranslate2File(path)


@pytest.fixture(scope="module")
def head(nano: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(nano, tmp_path_factory.mktemp("head"), "float16").path.read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(cut=st.integers(0, 4000), flip=st.integers(0, 4000), value=st.integers(0, 255))
def test_damage_is_one_clear_error(
    head: bytes, tmp_path: Path, cut: int, flip: int, value: int
) -> None:
    damaged = bytearray(head[: len(head) - cut])
    damaged[flip % len(damaged)] = value
    path = tmp_path / "model.bin"
    path.write_bytes(damaged)
    with suppress(CheckpointError):  # never another error
        CTranslate2File(path)
