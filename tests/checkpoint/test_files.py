from __future__ import annotations

from pathlib import Path

import pytest

from quest22.checkpoint.files import (
    check_folder,
    file_instead_of_folder,
    read_bytes,
    read_json_object,
)
from quest22.errors import CheckpointError

WHOLE = ["config.json", "model.safetensors", "tokenizer.json"]
USABLE = [
    WHOLE,
    ["config.json", "model.safetensors.index.json", "tokenizer.json"],
    ["config.json", "model.safetensors", "vocab.json", "merges.txt"],
    [*WHOLE, "pytorch_model.bin", "model.bin", "flax_model.msgpack"],
]
UNUSABLE = [
    ([], "has no config.json"),
    (["model.safetensors", "tokenizer.json"], "has no config.json"),
    (["config.json", "tokenizer.json"], "has no weights: expected model.safetensors"),
    (["config.json", "model.safetensors"], "has no tokenizer: expected tokenizer.json"),
    (["config.json", "model.safetensors", "vocab.json"], "has no tokenizer"),
    (
        ["config.json", "pytorch_model.bin"],
        "can run code and is therefore never opened: .*save_pret",
    ),
    (["base.pt"], "can run code and is therefore never opened"),
    (["config.json", "flax_model.msgpack"], "has no safetensors weights"),
    (["config.json", "model.bin", "vocabulary.txt"], r"CTranslate2 model \(faster-whisper\): give"),
    (["ggml-base.bin"], "whisper.cpp model: give the original"),
    (["config.json", "encoder_model.onnx"], "ONNX model"),
    (["adapter_config.json", "adapter_model.safetensors"], "merge it into its base model"),
]


def folder_with(folder: Path, names: list[str]) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("names", USABLE)
def test_a_whole_checkpoint_is_accepted(tmp_path: Path, names: list[str]) -> None:
    check_folder(folder_with(tmp_path, names))


@pytest.mark.parametrize(("names", "message"), UNUSABLE)
def test_anything_else_is_named_for_what_it_is(
    tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        check_folder(folder_with(tmp_path, names))
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("base.pt", "a pickle that can run code and is never opened"),
        ("model.safetensors", "give its folder"),
        ("talk.mp3", "is a file: expected a model's folder"),
    ],
)
def test_a_file_in_a_folder_s_place_is_explained(name: str, message: str) -> None:
    assert message in str(file_instead_of_folder(Path("models") / name))


DAMAGED = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"\xff\xfe{}", "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (b"[]", "expected a JSON object, found list"),
    (b"3", "expected a JSON object, found int"),
]


@pytest.mark.parametrize(("content", "message"), DAMAGED)
def test_what_is_no_object_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_json_object(path)


def test_a_missing_file_names_its_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        read_json_object(tmp_path / "config.json")


def test_a_folder_in_a_file_s_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_bytes(tmp_path)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b" " * 11)
    with pytest.raises(CheckpointError, match="larger than"):
        read_bytes(path, limit=10)
