from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import openvino as ov
import pytest

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import Checkpoint
from quest22.engine.build import build_engine
from quest22.engine.openvino.compiled_graphs import CompiledGraphs
from quest22.engine.openvino.compiler import Compiler
from quest22.engine.openvino.encoder import build_encoder
from quest22.engine.openvino.graph_cache import GraphCache
from quest22.metrics import Metrics
from quest22.records import DecodingOptions
from quest22.settings import EngineSettings
from tests.engine.conftest import OpenCheckpoint
from tests.support.windows import windows

ROOM = 1_000_000_000
ASKED = [DecodingOptions("en", max_new_tokens=6), DecodingOptions(None, max_new_tokens=6)]


@pytest.fixture
def cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("QUEST22_CACHE", str(tmp_path))
    return tmp_path / "graphs"


def heard(checkpoint: Checkpoint, compute_type: str) -> list[object]:
    settings = EngineSettings(compute_type=compute_type, batch_size=2)
    engine = build_engine(checkpoint, LogMel(80), settings, Metrics())
    first = engine.run(windows(*ASKED))
    assert engine.run(windows(*ASKED)) == first  # the files of kept graphs are let go in between
    return list(first)


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16", "int8"])
def test_a_kept_graph_hears_the_same(
    checkpoint: OpenCheckpoint, cold: Path, compute_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUEST22_NATIVE", "off")
    found = checkpoint("small-test")
    first = heard(found, compute_type)
    kept = {path.name: path.stat().st_ino for path in cold.iterdir()}
    assert len(kept) == 2
    assert heard(found, compute_type) == first
    assert {path.name: path.stat().st_ino for path in cold.iterdir()} == kept


def opened(checkpoint: Checkpoint, cache: GraphCache, **wishes: object) -> int:
    """How often the encoder had to be built."""
    dims, built = checkpoint.dimensions, []
    compiler = Compiler.open("cpu", str(wishes.get("compute_type", "float32")), None)

    def build() -> ov.Model:
        built.append(True)
        return build_encoder(checkpoint.weights, dims, compiler.precision.activations)

    identity = str(wishes.get("identity", "these"))
    CompiledGraphs(compiler, cache, identity).open(str(wishes.get("name", "encoder")), build)
    return len(built)


def test_what_makes_a_graph_another(checkpoint: OpenCheckpoint, tmp_path: Path) -> None:
    found, cache = checkpoint("small-test"), GraphCache(tmp_path, ROOM)
    assert [opened(found, cache), opened(found, cache)] == [1, 0]
    others: list[dict[str, str]] = [{"identity": "others"}, {"name": "listener"}]
    if (
        Compiler.open("cpu", "bfloat16", None).precision.activations != "f32"
    ):  # else it is as float32
        others.append({"compute_type": "bfloat16"})
    for other in others:
        assert [opened(found, cache, **other), opened(found, cache, **other)] == [1, 0], other


def test_graphs_of_nowhere_are_not_kept(checkpoint: OpenCheckpoint, tmp_path: Path) -> None:
    cache = GraphCache(tmp_path, ROOM)
    assert opened(checkpoint("small-test"), cache, identity="") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_cannot_be_read_is_made_again(
    checkpoint: OpenCheckpoint, tmp_path: Path
) -> None:
    found, cache = checkpoint("small-test"), GraphCache(tmp_path, ROOM)
    opened(found, cache)
    (path,) = tmp_path.iterdir()
    cache.store(path.stem, lambda stream: stream.write(b"no graph at all"))
    assert [opened(found, cache), opened(found, cache)] == [1, 0]


def test_one_that_does_not_fit_is_used_all_the_same(
    checkpoint: OpenCheckpoint, tmp_path: Path
) -> None:
    cache = GraphCache(tmp_path, 10_000)
    assert opened(checkpoint("small-test"), cache) == 1
    assert list(tmp_path.iterdir()) == []


def test_weights_that_were_written_anew_are_others(checkpoint: OpenCheckpoint) -> None:
    weights = checkpoint("small-test").weights
    before = weights.cache_key()
    assert weights.cache_key() == before
    file = checkpoint("small-test").folder / "model.safetensors"
    os.utime(file)
    assert weights.cache_key() != before


STARTER = """
import sys
from quest22 import Transcriber
import numpy as np
sound = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
options = {"language": "en", "max_new_tokens": 5, "compute_type": "float32", "vad": "off"}
whisper = Transcriber(sys.argv[1], **options)
print(whisper.transcribe(sound).segments)
"""


@pytest.mark.slow
def test_two_processes_start_at_once(
    checkpoint: OpenCheckpoint, cold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUEST22_NATIVE", "off")  # the decoder's graph is kept as well
    folder = str(checkpoint("small-test").folder)
    command = [sys.executable, "-c", STARTER, folder]
    for _ in range(2):  # cold, then warm
        made = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        texts = [each.communicate()[0] for each in made]
        assert [each.returncode for each in made] == [0, 0]
        assert texts[0] == texts[1] != ""
    assert sorted(path.suffix for path in cold.iterdir()) == [".graph", ".graph"]
