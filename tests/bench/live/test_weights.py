import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from quest22.bench.live.weights import weights_for
from quest22.bench.random_checkpoint import SHAPES, write_checkpoint
from quest22.checkpoint.load import load
from quest22.errors import UsageError
from tests.support.ctranslate2 import write_folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_checkpoint(tmp_path_factory.mktemp("model") / "small", SHAPES["small-test"]))


def test_a_model_is_written_once_in_each_form(tmp_path: Path, model: str):
    files = weights_for(model, ("transformers", "openai", "ggml"), tmp_path)
    assert Path(files["transformers"]).name == "small"
    assert (Path(files["transformers"]) / "model.safetensors").is_file()
    written = Path(files["ggml"]).stat().st_mtime_ns
    weights_for(model, ("ggml",), tmp_path)
    assert Path(files["ggml"]).stat().st_mtime_ns == written


def test_openais_names_and_sizes(tmp_path: Path, model: str):
    file = Path(weights_for(model, ("openai",), tmp_path)["openai"])
    tensors = load_file(file)
    sizes = json.loads(file.with_suffix(".json").read_text())
    assert tensors["decoder.token_embedding.weight"].shape == (
        sizes["n_vocab"],
        sizes["n_text_state"],
    )
    assert tensors["encoder.positional_embedding"].shape == (
        sizes["n_audio_ctx"],
        sizes["n_audio_state"],
    )
    assert "decoder.blocks.0.cross_attn.query.weight" in tensors
    assert not any(name.startswith("model.") for name in tensors)


def test_a_folder_for_readers_of_transformers_and_of_ctranslate2(tmp_path: Path, model: str):
    own = tmp_path / "faster"
    own.mkdir()
    write_folder(load(model), own)
    both = Path(weights_for(str(own), ("both",), tmp_path)["both"])
    assert both.name == "faster"
    assert {"model.bin", "model.safetensors", "tokenizer.json"} <= {x.name for x in both.iterdir()}
    config = json.loads((both / "config.json").read_text())
    assert config["d_model"] == SHAPES["small-test"].d_model
    assert "lang_ids" in config
    assert "model_type" not in config
    assert json.loads((own / "config.json").read_text()).keys() < config.keys()
    assert weights_for(str(own), ("both",), tmp_path) == {"both": str(both)}


def test_weights_that_are_not_ctranslate2s_are_refused(tmp_path: Path, model: str):
    with pytest.raises(UsageError, match=r"expected model\.bin"):
        weights_for(model, ("ctranslate2",), tmp_path)
