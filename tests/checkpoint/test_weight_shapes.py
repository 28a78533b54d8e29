from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from quest22.bench.random_checkpoint import SHAPES, model_config
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weight_shapes import expected_shapes


def dimensions(folder: Path, name: str) -> Dimensions:
    (folder / "config.json").write_text(json.dumps(model_config(SHAPES[name])))
    return Dimensions.read(folder)


PARAMETERS = {
    "tiny": 37_760_640,
    "base": 72_593_920,
    "small": 241_734_912,
    "medium": 763_857_920,
    "large-v2": 1_543_304_960,
    "large-v3": 1_543_490_560,
    "large-v3-turbo": 808_878_080,
}
"""As Transformers counts them, the encoder's fixed positions included."""


@pytest.mark.parametrize("name", SHAPES)
def test_each_tensor_is_expected_once(tmp_path: Path, name: str) -> None:
    expected = list(expected_shapes(dimensions(tmp_path, name)))
    assert len(dict(expected)) == len(expected)
    shape = SHAPES[name]
    assert ("proj_out.weight", (shape.vocab_size, shape.d_model)) in expected
    layers = 15 * shape.encoder_layers + 24 * shape.decoder_layers
    assert len(expected) == 7 + 4 + layers + 1


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_the_shapes_hold_the_published_number_of_parameters(
    tmp_path: Path, name: str, count: int
) -> None:
    tensors = dict(expected_shapes(dimensions(tmp_path, name)))
    del tensors["proj_out.weight"]
    assert sum(math.prod(shape) for shape in tensors.values()) == count


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
