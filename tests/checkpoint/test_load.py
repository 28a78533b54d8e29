from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quest22.checkpoint.load import load
from quest22.errors import CheckpointError


@pytest.mark.parametrize("size", [51864, 51865, 51866])
def test_a_checkpoint_comes_whole(checkpoints: dict[int, Path], size: int) -> None:
    found = load(str(checkpoints[size]))
    assert (found.folder, found.revision) == (checkpoints[size], None)
    assert found.dimensions.vocab_size == size
    assert found.tokens.eot == found.generation.eos_token_id
    assert found.tokens.no_timestamps == found.generation.no_timestamps_token_id
    assert found.weights["proj_out.weight"].shape == (size, found.dimensions.d_model)


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"d_model": 32}, r"conv1\.weight has the shape \[64, 80, 3\], but config\.json requires \[32"),
    ({"num_mel_bins": 128}, r"conv1\.weight has the shape"),
    ({"vocab_size": 51866}, r"embed_tokens\.weight has the shape \[51865, 64\]"),
    ({"encoder_layers": 3}, r"no tensor 'encoder\.layers\.2\.self_attn\.q_proj\.weight'"),
    ({"decoder_ffn_dim": 128}, r"decoder\.layers\.0\.fc1\.weight has the shape"),
    ({"max_target_positions": 100}, r"decoder\.embed_positions\.weight has the shape"),
]


@pytest.mark.parametrize(("change", "message"), MISFITS)
def test_weights_that_do_not_fit_the_config_are_refused(
    tmp_path: Path, multilingual: Path, change: dict[str, Any], message: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in multilingual.iterdir():
        (folder / path.name).symlink_to(path)
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        load(str(folder))


def test_a_half_copied_model_is_refused(tmp_path: Path, multilingual: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(multilingual, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        load(str(folder))


def test_a_local_model_loads_without_the_hub_s_client(multilingual: Path) -> None:
    code = (
        "import sys; from quest22.checkpoint.load import load; load(sys.argv[1]);"
        "assert not {'huggingface_hub', 'openvino', 'torch', 'datasets'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(multilingual)], check=True)


@pytest.mark.reference
@pytest.mark.parametrize("size", [51864, 51865, 51866])
def test_transformers_reads_the_same_model(checkpoints: dict[int, Path], size: int) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    theirs, report = transformers.WhisperForConditionalGeneration.from_pretrained(
        checkpoints[size], dtype=torch.float32, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    ours = load(str(checkpoints[size]))
    for name, values in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.weights[name], values.numpy())
    config = theirs.generation_config
    assert list(ours.generation.suppress_tokens) == config.suppress_tokens
    assert list(ours.generation.begin_suppress_tokens) == config.begin_suppress_tokens
    assert [list(pair) for pair in ours.generation.alignment_heads] == config.alignment_heads
    assert dict(ours.generation.lang_to_id) == (getattr(config, "lang_to_id", None) or {})
