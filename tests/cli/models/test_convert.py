from __future__ import annotations

from quest22.checkpoint.load import load
from quest22.cli.exits import Exit


def test_a_model_is_converted(run, model, tmp_path):
    folder = tmp_path / "new"
    ended = run("models", "convert", model, folder, "--dtype", "bfloat16")
    assert (ended.code, ended.err) == (Exit.DONE, "")
    assert f"{folder / 'model.safetensors'}  " in ended.out
    assert ended.out.splitlines()[-1].endswith(f" in {folder}")
    assert load(str(folder)).weights.dtype("encoder.conv1.weight") == "BF16"
    again = run("models", "convert", model, folder)
    assert again.code == Exit.USAGE
    assert again.err == (
        f"quest22: error: {folder} is there already: expected a new or empty folder, so that "
        "nothing is overwritten\n"
    )


def test_nothing_is_loaded_for_a_wrong_type(run, tmp_path):
    ended = run("models", "convert", "nowhere", tmp_path / "new", "--dtype", "int4")
    assert ended.code == Exit.USAGE
    assert "dtype is 'int4': expected float32, float16 or bfloat16" in ended.err
