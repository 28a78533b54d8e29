"""``quest22 models info`` tells what is in a model, and downloads nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quest22.cli.exits import Exit
from tests.support.caches import COMMIT
from tests.support.schemas import check


def test_a_folder_is_told_wholly(run, model):
    ended = run("models", "info", model, "--json")
    assert (ended.code, ended.err) == (Exit.DONE, "")
    told = json.loads(ended.out)
    check("model-info", told)
    assert told["path"] == str(Path(model).resolve())
    assert told["format"] == "safetensors"
    assert told["dimensions"]["d_model"] == 64
    assert (told["language_count"], len(told["languages"])) == (99, 99)
    assert told["tokenizer"] == {"text tokens": 50257, "control tokens": 107, "timestamps": 1501}
    assert told["weights"] == {"F32": 4 * told["parameters"]}
    assert told["files"]["model.safetensors"] > 4 * told["parameters"]
    assert told["disk_bytes"] == sum(told["files"].values())
    assert told["generation"]["max_length"] == 448
    assert all(len(pair) == 2 for pair in told["alignment_heads"])
    assert "float32" in told["compute_types"]
    assert (told["engine"]["name"], told["engine"]["device"]) in {
        ("native", "cpu"),
        ("openvino", "cpu"),
        ("torch", "cuda"),
    }


def test_a_model_in_a_cache_is_told_with_its_commit(run, caches, model):
    caches.add_to_hub("openai/whisper-tiny", Path(model))
    for name in ("tiny", "openai/whisper-tiny"):
        told = json.loads(run("models", "info", name, "--json").out)
        assert (told["origin"], told["revision"]) == ("openai/whisper-tiny", COMMIT)
    shown = run("models", "info", "tiny").out
    assert f"revision        {COMMIT}" in shown
    assert "languages       99" in shown


def test_a_short_name_is_told_by_its_shape_where_it_is_not_here(run, caches):
    ended = run("models", "info", "large-v3-turbo", "--json")
    told = json.loads(ended.out)
    check("model-info", told)
    assert (ended.code, told["parameters"], told["path"]) == (Exit.DONE, 808_878_080, None)
    assert (told["language_count"], told["hub_id"]) == (100, "openai/whisper-large-v3-turbo")
    shown = run("models", "info", "large-v3-turbo")
    assert "quest22 models pull large-v3-turbo downloads it" in shown.err
    assert "808,878,080" in shown.out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("org/whisper", "is not on this machine: download it with quest22 models pull org/whisper"),
        ("tinny", "unknown model 'tinny'"),
        ("./nowhere", "nowhere does not exist"),
    ],
)
def test_what_is_not_here_is_said_in_a_line(run, caches, name, message):
    ended = run("models", "info", name)
    assert (ended.code, ended.out) == (Exit.NOTHING_DONE, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1
