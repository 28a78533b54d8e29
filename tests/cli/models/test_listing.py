from __future__ import annotations

import json
from pathlib import Path

import quest22
from quest22.checkpoint.known_models import KNOWN_MODELS
from quest22.cli.models.catalogue import available_models
from tests.support.caches import COMMIT


def test_the_table_lists_every_short_name(run):
    ended = run("models")
    assert ended.code == 0
    assert [name for name in KNOWN_MODELS if f"{name} " not in ended.out] == []
    assert "openai/whisper-large-v3-turbo" in ended.out


def test_lines_for_programs(run):
    rows = [json.loads(line) for line in run("models", "--json").out.splitlines()]
    tiny = next(row for row in rows if row["name"] == "tiny")
    assert (tiny["hub_id"], tiny["languages"]) == ("openai/whisper-tiny", "99")
    assert tiny["memory_bytes"]["float32"] > 2 * tiny["memory_bytes"]["int8"] > 75_000_000
    speeds = {row["name"]: row["relative_speed"] for row in rows}
    assert speeds["tiny"] == 1
    assert 0.4 < speeds["base"] < 0.5
    assert speeds["nano"] > 1 if "nano" in speeds else True
    assert speeds["large-v3"] < speeds["large-v3-turbo"] < speeds["small"]


def test_what_is_in_a_cache_is_here_and_listed_with_its_name(run, caches, model):
    assert _tiny_is_here() is False
    assert "on this machine" not in run("models").out
    caches.add_to_hub("openai/whisper-tiny", Path(model))
    assert _tiny_is_here() is True
    shown = run("models").out
    headings = ["on", "this", "machine", "format", "parameters", "weights", "disk", "from"]
    assert shown.splitlines()[0].split() == headings
    assert shown.splitlines()[1].split()[:2] == ["tiny", "safetensors"]
    assert "Without --model, tiny is taken." in shown
    found = json.loads(run("models", "--json").out.splitlines()[-1])
    assert (found["name"], found["revision"]) == ("tiny", COMMIT)
    assert found["disk_bytes"] > found["size_bytes"] > 0
    assert (found["languages"], round(found["parameters_m"], 1)) == ("99", 3.7)


def test_a_pickle_is_listed_with_what_to_do(run, caches):
    pickled = caches.home / "whisper" / "base.pt"
    pickled.parent.mkdir(parents=True)
    pickled.write_bytes(b"12345")
    shown = " ".join(run("models").out.split())
    assert "5 B" in shown
    assert "a pickle, which is never opened: convert it with Transformers" in shown
    assert "Without --model" not in shown


def _tiny_is_here() -> bool:
    return next(each.local for each in available_models() if each.name == "tiny")


def test_what_the_installation_carries_is_listed_first():
    first = next(available_models())
    nano = Path(quest22.__file__).parent / "checkpoint" / "nano" / "model.safetensors"
    assert (first.name == "nano") is nano.is_file()


def test_columns_say_what_a_model_takes(run):
    lines = run("models").out.splitlines()
    head = next(line for line in lines if line.startswith("name"))
    named = "name parameters languages float32 16 bit int8 speed here download on the Hub"
    assert head.split() == named.split()
    turbo = next(line for line in lines if line.startswith("large-v3-turbo "))
    assert turbo.split()[1:4] == ["809", "M", "100"]
    assert sum(line.endswith(" Computed.") for line in lines) == 2


def test_the_list_has_a_name_and_the_same_lines(run):
    assert run("models", "list").out == run("models").out
    assert run("models", "list", "--json").out == run("models", "--json").out


def test_no_figure_is_cut_on_a_narrow_terminal(run, monkeypatch):
    monkeypatch.setattr("quest22.cli.terminal.PIPE_WIDTH", 80)
    shown = run("models").out
    assert "…" not in shown
    assert "on the Hub" not in shown.splitlines()[0]
    assert max(map(len, shown.splitlines())) <= 80


def test_a_damaged_model_is_listed_without_its_sizes(run, caches, model):
    snapshot = caches.add_to_hub("org/whisper", Path(model))
    config = json.loads((snapshot / "config.json").read_text())
    (snapshot / "config.json").write_text(json.dumps(config | {"d_model": 0}))
    (found,) = (
        row for row in map(json.loads, run("models", "--json").out.splitlines()) if "path" in row
    )
    assert (found["name"], found["parameters_m"], found["memory_bytes"]) == (
        "org/whisper",
        None,
        None,
    )


def test_help_teaches_with_examples(run):
    shown = run("models", "--help").out
    for command in ("pull", "info", "convert", "rm", "list"):
        assert command in shown
    assert "quest22 models pull large-v3-turbo" in shown
