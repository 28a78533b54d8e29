"""The Dockerfile, and what the script that builds it expects of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from tools import image

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGES = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)


def last_stage(name: str) -> str:
    return DOCKERFILE.partition(f" AS {name}\n")[2].partition("\nFROM ")[0]


def test_the_script_builds_the_last_stages() -> None:
    assert list(image.IMAGES) == STAGES[-3:]
    assert set(image.FOR_CPUS) < set(image.IMAGES)
    for name, target in (("compose", "server"), ("compose.cuda", "cuda")):
        text = (ROOT / f"recipes/serving/{name}.yaml").read_text(encoding="utf-8")
        assert yaml.safe_load(text)["services"]["quest22"]["build"]["target"] == target
    workflow = yaml.safe_load((ROOT / ".github/workflows/docker.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["image"]["strategy"]["matrix"]["include"]
    assert [each["target"] for each in matrix] == list(image.IMAGES)


def test_images_run_without_root_and_compilers() -> None:
    for name in image.IMAGES:
        stage = last_stage(name)
        assert re.search(r"^USER [1-9]\d*$", stage, re.MULTILINE)
        assert ("gcc" in stage) is (name == "cuda")  # Triton compiles kernels at run time
    assert "gcc" not in last_stage("python") + last_stage("run")


def test_what_is_copied_goes_into_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {each.removeprefix("!") for each in ignored if each.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in line.split():
            assert source == "." or source in kept
            assert source == "." or (ROOT / source).exists()
    assert kept >= {"src", "pyproject.toml", "constraints.txt", "hatch_build.py"}


def test_layers_that_are_empty_are_left_out(monkeypatch) -> None:
    shown = [
        {"size": "5", "CreatedBy": "COPY  all"},
        {"size": "0", "CreatedBy": "USER 1"},
        {"size": "7", "CreatedBy": "ADD root"},
    ]
    monkeypatch.setattr(image, "run", lambda *_: json.dumps(shown))
    assert list(image.layers("x")) == [(7, "ADD root"), (5, "COPY all")]
