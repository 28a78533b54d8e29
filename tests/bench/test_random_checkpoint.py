from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quest22.bench.random_checkpoint import SHAPES, random_model, random_tensor, write_checkpoint
from quest22.checkpoint.load import load
from quest22.errors import UsageError


def test_the_same_arguments_make_the_same_checkpoint(tmp_path: Path) -> None:
    made = [
        write_checkpoint(tmp_path / name, SHAPES["small-test"], dtype="F16", seed=seed)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    contents = [(folder / "model.safetensors").read_bytes() for folder in made]
    assert contents[0] == contents[1] != contents[2]


def test_an_endless_checkpoint_has_no_weights_for_control_tokens(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, SHAPES["small-test"], endless=True)
    checkpoint = load(str(folder))
    embeddings = checkpoint.weights["decoder.embed_tokens.weight"]
    assert not embeddings[checkpoint.tokens.eot :].any()
    assert embeddings[: checkpoint.tokens.eot].any(axis=1).all()


def test_a_tensor_depends_on_its_name_and_the_seed_alone() -> None:
    values = random_tensor("decoder.layers.0.fc1.weight", (4, 8))
    assert np.array_equal(values, random_tensor("decoder.layers.0.fc1.weight", (4, 8)))
    assert not np.array_equal(values, random_tensor("decoder.layers.1.fc1.weight", (4, 8)))
    assert not np.array_equal(values, random_tensor("decoder.layers.0.fc1.weight", (4, 8), seed=1))


def test_a_random_model_is_made_once(tmp_path: Path) -> None:
    path = Path(random_model(tmp_path, "small-test"))
    written = (path / "model.safetensors").stat().st_mtime_ns
    assert random_model(tmp_path, "small-test") == str(path)
    assert (path / "model.safetensors").stat().st_mtime_ns == written
    with pytest.raises(UsageError, match="unknown shape 'huge': expected one of tiny"):
        random_model(tmp_path, "huge")
