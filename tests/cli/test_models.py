from __future__ import annotations

import json
from pathlib import Path

from quest22.checkpoint.known_models import KNOWN_MODELS
from quest22.cli import models


def test_the_table_lists_every_short_name(run):
    ended = run("models")
    assert ended.code == 0
    assert [name for name in KNOWN_MODELS if f"{name} " not in ended.out] == []
    assert "openai/whisper-large-v3-turbo" in ended.out


def test_lines_for_programs(run):
    rows = [json.loads(line) for line in run("models", "--json").out.splitlines()]
    tiny = next(row for row in rows if row["name"] == "tiny")
    assert (tiny["hub_id"], tiny["languages"]) == ("openai/whisper-tiny", "about 100")


def test_here_means_configuration_and_weights_are_in_the_cache(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--openai--whisper-tiny" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    refs = folder.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc")
    assert _tiny_is_here() is False
    (folder / "config.json").write_text("{}")
    assert _tiny_is_here() is False
    (folder / "model.safetensors").write_text("")
    assert _tiny_is_here() is True


def _tiny_is_here() -> bool:
    return next(each.local for each in models.available_models() if each.name == "tiny")


def test_what_the_installation_carries_is_listed_first():
    first = next(models.available_models())
    nano = Path(models.__file__).parents[1] / "checkpoint" / "nano" / "model.safetensors"
    assert (first.name == "nano") is nano.is_file()
