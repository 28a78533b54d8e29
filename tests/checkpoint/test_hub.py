"""Checkpoints from the Hub: the product in a process of its own, talking to the Hub's stand-in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub import Fault, Hub, files_of

SCRIPT = """
import json, sys
from quest22.checkpoint.resolve import resolve
from quest22.errors import CheckpointError
for call in json.loads(sys.argv[1]):
    try:
        found = resolve(**call)
        files = sorted(path.name for path in found.folder.iterdir())
        said = {"folder": str(found.folder), "revision": found.revision, "files": files}
    except CheckpointError as error:
        said = {"error": str(error)}
    print(json.dumps(said))
"""
PAGE = "https://huggingface.co/openai/whisper-tiny"
SINGLE = ["config.json", "generation_config.json", "model.safetensors"]
SINGLE += ["preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        yield running


@pytest.fixture(scope="module")
def whole(multilingual: Path) -> dict[str, bytes | Path]:
    """A checkpoint's files with all that should be left where it is."""
    unwanted = ["model.fp32-00001-of-00002.safetensors", "model.safetensors.index.fp32.json"]
    unwanted += ["pytorch_model.bin", "flax_model.msgpack", "tf_model.h5", "README.md"]
    unwanted += ["onnx/model.safetensors", "runs/events.out", "evil.py"]
    return files_of(multilingual) | dict.fromkeys(unwanted, b"not wanted")


def resolve(env: dict[str, str], *calls: dict[str, Any]) -> list[dict[str, Any]]:
    """What a fresh process makes of the calls, in order."""
    command = [sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(calls)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_only_what_is_needed_is_fetched_and_the_commit_is_pinned(
    hub: Hub, tmp_path: Path, whole: dict[str, bytes | Path]
) -> None:
    repository = hub.add_model("org/whisper", whole)
    first = repository.sha("main")
    repository.tag("v1")
    second = repository.commit(whole | {"preprocessor_config.json": b'{"feature_size": 80}'})
    env = hub.environment(tmp_path)
    main, tagged, pinned = resolve(
        env,
        {"name": "org/whisper"},
        {"name": "org/whisper", "revision": "v1"},
        {"name": "org/whisper", "revision": first},
    )
    assert main["files"] == tagged["files"] == SINGLE
    assert (main["revision"], tagged["revision"], pinned["revision"]) == (second, first, first)
    assert tagged["folder"] == pinned["folder"]
    assert not any("not wanted" in seen.path or "fp32" in seen.path for seen in hub.requests)
    assert not any("telemetry" in seen.path for seen in hub.requests)


def test_what_is_cached_is_not_fetched_again_and_serves_without_the_hub(
    hub: Hub, tmp_path: Path, whole: dict[str, bytes | Path]
) -> None:
    hub.add_model("openai/whisper-tiny", whole)
    env = hub.environment(tmp_path)
    first, again = resolve(env, {"name": "tiny"}, {"name": PAGE})
    assert again == first
    paths = [seen.path for seen in hub.requests]
    assert paths.count("/api/models/openai/whisper-tiny/revision/main") == 2
    for name in SINGLE:
        asked = [seen for seen in hub.requests if seen.path.endswith(f"/{name}")]
        assert [seen.method for seen in asked].count("HEAD") == 1
    assert resolve(env | {"HF_HUB_OFFLINE": "1"}, {"name": "tiny"}) == [first]
    assert len(hub.requests) == len(paths)
    hub.close()
    gone, missing = resolve(env, {"name": "tiny"}, {"name": "base"})
    assert gone == first
    assert missing["error"].startswith("the Hub cannot be reached and openai/whisper-base is not")


def test_shards_are_fetched_by_their_index(hub: Hub, tmp_path: Path) -> None:
    from quest22.bench.random_checkpoint import SHAPES, write_checkpoint

    folder = write_checkpoint(tmp_path / "x", SHAPES["small-test"], dtype="F16", shards=2)
    hub.add_model("org/sharded", files_of(folder) | {"model-draft.safetensors": b"no"})
    (found,) = resolve(hub.environment(tmp_path / "home"), {"name": "org/sharded"})
    assert [name for name in found["files"] if "safetensors" in name] == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    ]


def test_each_failure_is_one_line_that_says_what_to_do(
    hub: Hub, tmp_path: Path, whole: dict[str, bytes | Path]
) -> None:
    hub.add_model("org/open", whole)
    hub.add_model("org/gated", whole, gated=True, readers={"hf_reader"})
    hub.add_model("org/private", whole, private=True, readers={"hf_reader"})
    hub.tokens.add("hf_stranger")
    hub.add_model("org/pickles", {"config.json": b"{}", "pytorch_model.bin": b"x"})
    hub.add_model("org/faster", {"config.json": b"{}", "model.bin": b"x"})
    faster = {"config.json": b"{}", "model.bin": b"x", "vocabulary.txt": b""}
    hub.add_model("org/faster-whole", faster)
    converted = hub.add_model("org/converted", {"pytorch_model.bin": b"x"})
    converted.commit(whole, branch="refs/pr/1")
    hub.add_model("org/card", {"README.md": b"# Only words"})
    untold = {name: content for name, content in whole.items() if name != "tokenizer.json"}
    hub.add_model("org/untold", untold)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"name": "org/nothing"}, "org/nothing was not found on the Hub: check the spelling"),
        ({"name": "org/open", "revision": "v9"}, "org/open has no revision 'v9'"),
        ({"name": "org/gated"}, "org/gated is gated: accept its terms"),
        ({"name": "org/gated", "token": "hf_stranger"}, "org/gated is gated"),
        ({"name": "org/private"}, "org/private was not found on the Hub"),
        ({"name": "org/private", "token": "hf_stranger"}, "org/private was not found on the Hub"),
        ({"name": "org/open", "token": "hf_revoked"}, "the Hub rejected the token"),
        (
            {"name": "org/pickles"},
            "org/pickles on the Hub has no safetensors weights, only a format that can",
        ),
        ({"name": "org/converted"}, "name a revision that has model.safetensors (often refs/pr/1)"),
        ({"name": "org/faster"}, "org/faster on the Hub is a CTranslate2 model"),
        ({"name": "org/card"}, "org/card on the Hub has no weights"),
        ({"name": "org/untold"}, "has no tokenizer"),
        ({"name": "org/bad--name"}, "'org/bad--name' is not a Hub id"),
    ]
    good = [
        {"name": "org/gated", "token": "hf_reader"},
        {"name": "org/converted", "revision": "refs/pr/1"},
        {"name": "org/faster-whole"},
    ]
    *results, given, changed, faster = resolve(
        hub.environment(tmp_path), *(call for call, _ in cases), *good
    )
    assert given["files"] == changed["files"] == SINGLE
    assert {"config.json", "model.bin", "vocabulary.txt"} <= set(faster["files"])
    for (call, message), result in zip(cases, results, strict=True):
        assert message in result.get("error", "no error"), call
        assert "\n" not in result["error"]
        assert call.get("token", "hf_") not in result["error"] or "token" not in call


def test_readers_of_gated_and_private_models_get_them(
    hub: Hub, tmp_path: Path, whole: dict[str, bytes | Path]
) -> None:
    for name, access in (("org/gated", {"gated": True}), ("org/private", {"private": True})):
        hub.add_model(name, whole, readers={"hf_reader"}, **access)
    env = hub.environment(tmp_path) | {"HF_TOKEN": "hf_reader"}
    gated, private = resolve(env, {"name": "org/gated"}, {"name": "org/private"})
    assert gated["files"] == private["files"] == SINGLE
    assert not any(
        "authorization" in seen.headers for seen in hub.requests if seen.path.startswith("/storage")
    )


def test_a_broken_download_is_taken_up_again(
    hub: Hub, tmp_path: Path, whole: dict[str, bytes | Path]
) -> None:
    hub.add_model("org/whisper", whole)
    weights = Path(str(whole["model.safetensors"])).read_bytes()
    stored = next(
        file
        for files in hub.catalogue.repositories["model", "org/whisper"].commits.values()
        for file in files.values()
        if file.path == "model.safetensors"
    )
    hub.faults.append(Fault(f"storage/{stored.sha256}", method="GET", cut_after=1 << 20))
    (found,) = resolve(hub.environment(tmp_path), {"name": "org/whisper"})
    assert (Path(found["folder"]) / "model.safetensors").read_bytes() == weights
    taken = [seen for seen in hub.requests if stored.sha256 in seen.path]
    assert [seen.sent for seen in taken] == [1 << 20, len(weights)]


def test_a_hub_that_fails_is_named(hub: Hub, tmp_path: Path) -> None:
    hub.add_model("org/whisper", {"config.json": b"{}"})
    hub.faults.append(Fault("api/models", times=100, status=500))
    (found,) = resolve(hub.environment(tmp_path), {"name": "org/whisper"})
    assert "the Hub cannot be reached" in found["error"]
