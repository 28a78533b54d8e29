from __future__ import annotations

import json
from pathlib import Path

import pytest

from quest22.bench.random_checkpoint import SHAPES, model_config, tensor_shapes
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weight_shapes import expected_shapes


def dimensions(folder: Path, name: str) -> Dimensions:
    (folder / "config.json").write_text(json.dumps(model_config(SHAPES[name])))
    return Dimensions.read(folder)


@pytest.mark.parametrize("name", SHAPES)
def test_each_tensor_is_expected_once(tmp_path: Path, name: str) -> None:
    expected = list(expected_shapes(dimensions(tmp_path, name)))
    shape = SHAPES[name]
    tied = ("proj_out.weight", (shape.vocab_size, shape.d_model))
    assert sorted(expected) == sorted([*tensor_shapes(shape), tied])


@pytest.mark.reference
@pytest.mark.parametrize("name", SHAPES)
def test_the_tensors_are_those_of_the_reference(tmp_path: Path, name: str) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.WhisperConfig(**model_config(SHAPES[name]))
    with torch.device("meta"):
        model = transformers.WhisperForConditionalGeneration(config)
    theirs = {
        tensor_name.removeprefix("model."): tuple(tensor.shape)
        for tensor_name, tensor in model.state_dict().items()
    }
    assert dict(expected_shapes(dimensions(tmp_path, name))) == theirs
