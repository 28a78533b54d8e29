"""``quest22 models pull``: the command in a process of its own, and the Hub's stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quest22.cli.exits import Exit
from tests.support.hub import Fault, Hub, files_of


@pytest.fixture
def hub():
    with Hub() as running:
        yield running


@pytest.fixture
def quest22(hub, tmp_path):
    """Runs the command with caches of its own."""
    environment = hub.environment(tmp_path / "home") | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "XDG_CACHE_HOME": str(tmp_path / "xdg"),
        "QUEST22_CACHE": str(tmp_path / "quest22"),
    }

    def call(*arguments, **changes):
        command = [sys.executable, "-W", "error", "-m", "quest22", *map(str, arguments)]
        return subprocess.run(
            command, env=environment | changes, capture_output=True, text=True, check=False
        )

    return call


def test_a_model_is_pulled_found_and_removed(hub, quest22, model):
    unwanted = {"pytorch_model.bin": b"no", "README.md": b"no"}
    hub.add_model("openai/whisper-tiny", files_of(Path(model)) | unwanted)
    ended = quest22("models", "pull", "tiny")
    assert (ended.returncode, ended.stderr) == (Exit.DONE, "")
    assert ended.stdout.startswith("tiny downloaded: ")
    assert ended.stdout.rstrip().endswith(", openai/whisper-tiny")
    assert not any(name in seen.path for seen in hub.requests for name in unwanted)
    asked = len(hub.requests)
    again = quest22("models", "pull", "tiny", HF_HUB_OFFLINE="1")
    assert again.stdout.startswith("tiny is here already: ")
    assert len(hub.requests) == asked
    removed = quest22("models", "rm", "tiny", "--yes")
    assert removed.returncode == Exit.DONE
    assert "deleted openai/whisper-tiny, " in removed.stderr
    assert not list(Path(ended.stdout.partition(" in ")[2].partition(",")[0]).parent.glob("*"))
    gone = quest22("models", "rm", "tiny", "--yes")
    assert gone.returncode == Exit.NOTHING_DONE
    assert "is in neither the Hub's cache nor quest22's own" in gone.stderr


def test_a_broken_download_goes_on_where_it_ended(hub, quest22, model):
    weights = (Path(model) / "model.safetensors").read_bytes()
    hub.add_model("org/whisper", files_of(Path(model)))
    hub.faults.append(Fault("storage/", method="GET", cut_after=1 << 20, times=1))
    ended = quest22("models", "pull", "org/whisper")
    assert (ended.returncode, ended.stderr.count("error")) == (Exit.DONE, 0)
    sent = [
        seen.sent for seen in hub.requests if seen.path.startswith("/storage") and seen.sent > 1000
    ]
    assert (1 << 20) in sent
    assert len(weights) - (1 << 20) in sent or len(weights) in sent


def test_each_name_that_fails_is_a_line_and_the_others_are_pulled(hub, quest22, model):
    files = files_of(Path(model))
    hub.add_model("org/whisper", files)
    hub.add_model("org/gated", files, gated=True, readers={"hf_reader"})
    ended = quest22("models", "pull", "org/nothing", "org/gated", "org/whisper", "tinny")
    assert ended.returncode == Exit.SOME_FAILED
    lines = ended.stderr.splitlines()
    assert len(lines) == 3
    assert "org/nothing was not found on the Hub" in lines[0]
    assert "org/gated is gated: accept its terms" in lines[1]
    assert "unknown model 'tinny'" in lines[2]
    assert ended.stdout.startswith("org/whisper downloaded")
    given = quest22("models", "pull", "org/gated", "--quiet", HF_TOKEN="hf_reader")
    assert (given.returncode, given.stdout, given.stderr) == (Exit.DONE, "", "")


def test_without_the_hub_a_line_says_so(hub, quest22):
    hub.close()
    ended = quest22("models", "pull", "org/whisper")
    assert ended.returncode == Exit.NOTHING_DONE
    (line,) = ended.stderr.splitlines()
    assert "the Hub cannot be reached and org/whisper is not complete in the cache" in line


def test_what_needs_no_download_is_told(run, model):
    ended = run("models", "pull", model)
    assert (ended.code, ended.out) == (Exit.DONE, ended.out)
    assert "is here already" in ended.out
    ended = run("models", "pull", model, "--revision", "v1")
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert "has no revisions" in ended.err
