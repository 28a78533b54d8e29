from __future__ import annotations

import json
from pathlib import Path

from quest22.checkpoint.known_models import KNOWN_MODELS
from quest22.checkpoint.load import load
from quest22.cli import models
from quest22.cli.exits import Exit
from tests.support.caches import COMMIT


def test_the_table_lists_every_short_name(run):
    ended = run("models")
    assert ended.code == 0
    assert [name for name in KNOWN_MODELS if f"{name} " not in ended.out] == []
    assert "openai/whisper-large-v3-turbo" in ended.out


def test_lines_for_programs(run):
    rows = [json.loads(line) for line in run("models", "--json").out.splitlines()]
    tiny = next(row for row in rows if row["name"] == "tiny")
    assert (tiny["hub_id"], tiny["languages"]) == ("openai/whisper-tiny", "about 100")


def test_what_is_in_a_cache_is_here_and_listed_with_its_name(run, caches, model):
    assert _tiny_is_here() is False
    assert "on this machine" not in run("models").out
    caches.add_to_hub("openai/whisper-tiny", Path(model))
    assert _tiny_is_here() is True
    shown = run("models").out
    assert shown.splitlines()[0].split() == ["on", "this", "machine", "format", "size", "from"]
    assert shown.splitlines()[1].split()[:2] == ["tiny", "safetensors"]
    assert "Without --model, tiny is taken." in shown
    found = json.loads(run("models", "--json").out.splitlines()[-1])
    assert (found["name"], found["revision"]) == ("tiny", COMMIT)


def test_a_pickle_is_listed_with_what_to_do(run, caches):
    pickled = caches.home / "whisper" / "base.pt"
    pickled.parent.mkdir(parents=True)
    pickled.write_bytes(b"12345")
    shown = " ".join(run("models").out.split())
    assert "5 B" in shown
    assert "a pickle, which is never opened: convert it with Transformers" in shown
    assert "Without --model" not in shown


def _tiny_is_here() -> bool:
    return next(each.local for each in models.available_models() if each.name == "tiny")


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


def test_what_the_installation_carries_is_listed_first():
    first = next(models.available_models())
    nano = Path(models.__file__).parents[1] / "checkpoint" / "nano" / "model.safetensors"
    assert (first.name == "nano") is nano.is_file()
