"""Models whose layers are copied or read in turn, against the same models as a whole."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Semaphore
from weakref import WeakSet

import pytest
import torch

from quest22.audio.log_mel import LogMel
from quest22.bench.peers.ggml import write_ggml
from quest22.bench.random_checkpoint import Shape, write_checkpoint
from quest22.checkpoint.load import load
from quest22.engine.engine import WhisperEngine
from quest22.engine.torch import build
from quest22.engine.torch.backend import BatchShape, TorchBackend
from quest22.engine.torch.device import Placement, choose_placement
from quest22.engine.torch.layers import BUFFERS, Places, StreamedLayers, bytes_of, tensors_of
from quest22.engine.torch.memory import bytes_at_once, layer_bytes, weight_bytes
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.weights import Residency
from quest22.errors import EngineError, UsageError
from quest22.metrics import Metrics
from quest22.settings import EngineSettings
from tests.engine.conftest import OpenCheckpoint
from tests.engine.torch.conftest import OpenModel, OpenTorchEngine
from tests.engine.torch.test_search import batch
from tests.support.recordings import NANO_IS_HERE

CPU = torch.device("cpu")
CUDA = Placement(torch.device("cuda", 0), torch.bfloat16)


@dataclass(frozen=True)
class Inner:
    bias: torch.Tensor | None


@dataclass(frozen=True)
class Layer:
    weight: torch.Tensor
    inner: Inner


def layers(count: int) -> list[Layer]:
    return [Layer(torch.full((2, 3), n), Inner(torch.full((3,), -n))) for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 6])
@pytest.mark.parametrize(
    "places", [Places(0, 9), Places(1, 9), Places(4, 9), Places(), Places(1, 2), Places(2, 0)]
)
def test_layers_come_in_their_order_time_and_again(count: int, places: Places) -> None:
    streamed = StreamedLayers(layers(count).__getitem__, count, CPU, places)
    assert len(streamed) == count
    assert len(streamed.in_files) == max(0, count - places.on_device - places.in_memory)
    for _ in range(3):
        seen = [[int(part.flatten()[0]) for part in tensors_of(each)] for each in streamed]
        assert seen == [[n, -n] for n in range(count)]
    next(iter(streamed), None)  # a pass that is given up
    assert [int(each.weight[0, 0]) for each in streamed] == list(range(count))


def test_only_two_layers_are_on_the_device() -> None:
    streamed = StreamedLayers(layers(6).__getitem__, 6, CPU, Places(1, 5))
    first, *others = (each.weight.data_ptr() for each in streamed)
    assert len(set(others)) == BUFFERS
    assert first not in others
    assert bytes_of(layers(1)[0]) == (6 + 3) * 8


def test_a_layer_is_read_ahead_and_no_more() -> None:
    """While one computes, the next one is read; what was read before is not kept."""
    made, alive = layers(6), WeakSet()
    reading, may_read = Semaphore(0), Semaphore(0)

    def read(index: int) -> Layer:
        reading.release()
        may_read.acquire()
        layer = Layer(made[index].weight.clone(), made[index].inner)
        alive.add(layer.weight)
        return layer

    streamed = StreamedLayers(read, 6, CPU, Places())
    passed = iter(streamed)
    may_read.release()
    layer = next(passed)
    for count in range(1, 6):
        for _ in range(2):
            assert reading.acquire(timeout=10)
        reading.release()  # the one that is read now
        assert int(layer.weight[0, 0]) == count - 1
        may_read.release()
        layer = next(passed)
        assert len(alive) <= BUFFERS + 1
    assert next(passed, None) is None


def test_what_cannot_be_read_is_told_where_it_is_needed() -> None:
    def read(index: int) -> Layer:
        if index == 2:
            raise OSError("gone")
        return layers(3)[index]

    passed = iter(StreamedLayers(read, 3, CPU, Places(1)))
    assert [int(next(passed).weight[0, 0]) for _ in range(2)] == [0, 1]
    with pytest.raises(OSError, match="gone"):
        next(passed)


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16", "int8_kv_float32", "int4"])
@pytest.mark.parametrize(
    "residency",
    [
        Residency(Places(0, 9), Places(0, 9)),
        Residency(Places(1, 9), Places(1, 9)),
        Residency(Places(0, 9), Places(2)),
        Residency(Places(), Places()),
        Residency(Places(), Places(1)),
        Residency(Places(0, 1), Places(0, 1)),
    ],
)
def test_texts_are_those_of_the_whole_model(
    checkpoint: OpenCheckpoint,
    torch_engine: OpenTorchEngine,
    compute_type: str,
    residency: Residency,
) -> None:
    """To the last bit; with words, whose attention is found again."""
    found = checkpoint("small-test")
    placement = choose_placement("cpu", compute_type)
    model = WhisperModel(found.weights, found.dimensions, placement, residency)
    assert isinstance(model.weights.decoder, StreamedLayers)
    backend = TorchBackend(found, model, BatchShape(16, 16, 3))
    whisper = WhisperEngine(found, backend, LogMel(80), Metrics())
    assert whisper.run(batch()) == torch_engine("small-test", compute_type).run(batch())


@pytest.mark.skipif(not NANO_IS_HERE, reason="this checkout has no nano")
def test_a_file_that_is_no_safetensors_is_read_layer_by_layer(tmp_path: Path) -> None:
    """To the last bit."""
    write_ggml("nano", tmp_path / "ggml-nano.bin")
    found = load(str(tmp_path / "ggml-nano.bin"))
    placement = choose_placement("cpu", "float32")
    whole, parts = (
        WhisperModel(found.weights, found.dimensions, placement, residency)
        for residency in (None, Residency(Places(), Places()))
    )
    for one, of_all in (
        (parts.weights.encoder, whole.weights.encoder),
        (parts.weights.decoder, whole.weights.decoder),
    ):
        for layer, expected in zip(one, of_all, strict=True):
            pairs = zip(tensors_of(layer), tensors_of(expected), strict=True)
            assert all(torch.equal(*pair) for pair in pairs)


def with_memory(monkeypatch: pytest.MonkeyPatch, device: int, machine: int) -> None:
    """So many bytes are free on CUDA, and so many of the machine's."""

    def free_and_total(asked: torch.device) -> tuple[int, int]:
        free = device if asked.type == "cuda" else machine
        return free, 2 * free

    monkeypatch.setattr(build, "free_and_total", free_and_total)
    monkeypatch.setattr("quest22.engine.torch.memory.free_and_total", free_and_total)


@pytest.mark.parametrize("placement", [CUDA, Placement(CPU, torch.float32)])
@pytest.mark.parametrize("device_share", [10.0, 1.2, 0.9, 0.6, 0.2])
@pytest.mark.parametrize("machine_share", [10.0, 0.7, 0.01])
def test_what_does_not_fit_is_elsewhere(
    checkpoint: OpenCheckpoint,
    monkeypatch: pytest.MonkeyPatch,
    placement: Placement,
    device_share: float,
    machine_share: float,
) -> None:
    """Of a model with many layers: first on the device, then in memory, then in the files."""
    dims = checkpoint("small-test").dimensions
    dims = replace(dims, encoder_layers=12, decoder_layers=12, vocab_size=100)
    whole = weight_bytes(dims, placement)
    encoder, decoder = layer_bytes(dims, placement)
    rest = whole - 12 * encoder - 12 * decoder
    free, machine = int(device_share * whole), int(machine_share * whole)
    on_gpu = placement is CUDA
    with_memory(monkeypatch, free, machine if on_gpu else free)
    assert build.choose_residency(dims, placement, "off") is None
    if whole <= build.WEIGHTS_SHARE * free:
        assert build.choose_residency(dims, placement, "auto") is None
        return
    held = bytes_at_once(dims, placement)
    assert held == (2 if on_gpu else 3) * (encoder + decoder)
    if rest + held > build.STREAMED_SHARE * free:
        with pytest.raises(EngineError, match=r"does not run on .* needs .* for weights and"):
            build.choose_residency(dims, placement, "auto")
        return
    found = build.choose_residency(dims, placement, "auto")
    assert found is not None
    on_device = found.encoder.on_device * encoder + found.decoder.on_device * decoder
    assert rest + held + on_device <= build.STREAMED_SHARE * free
    in_memory = found.encoder.in_memory * encoder + found.decoder.in_memory * decoder
    in_files = [12 - each.on_device - each.in_memory for each in (found.encoder, found.decoder)]
    assert min(in_files) >= 0
    # What is left of the memory for one of the decoder's may suffice for one of the encoder's.
    assert found.encoder.on_device <= 1 or found.decoder.on_device == 12
    assert found.encoder.in_memory <= 1 or in_files[1] == 0
    if on_gpu:
        assert in_memory <= build.HOST_SHARE * machine
        assert (sum(in_files) == 0) == (machine_share == 10.0)
        assert (in_memory == 0) == (machine_share == 0.01)
    else:
        assert in_memory == 0


def test_layers_that_differ_take_no_turns(
    checkpoint: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch, 1, 1)
    placement = replace(CUDA, fp8_encoder=True)
    with pytest.raises(UsageError, match="'fp8_encoder' is for models that their device holds as"):
        build.choose_residency(checkpoint("small-test").dimensions, placement, "auto")


def test_where_memory_is_not_known_all_layers_are_there(
    checkpoint: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch, 0, 0)
    dims = checkpoint("small-test").dimensions
    assert build.choose_residency(dims, Placement(CPU, torch.float32), "auto") is None


def test_a_model_that_is_larger_than_memory_is_opened_and_says_so(
    checkpoint: OpenCheckpoint,
    torch_engine: OpenTorchEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = checkpoint("small-test")
    whole = weight_bytes(found.dimensions, Placement(CPU, torch.float32))
    monkeypatch.setattr(build, "STREAMED_SHARE", 1.0)
    with_memory(monkeypatch, 0, whole)
    settings = EngineSettings(engine="torch", device="cpu", device_map="auto", batch_size=16)
    with caplog.at_level(logging.INFO, "quest22"):
        backend = build.open_torch_backend(found, settings)
    assert "the model is larger than this machine's memory: of" in caplog.text
    whisper = WhisperEngine(found, backend, LogMel(80), Metrics())
    assert whisper.run(batch()) == torch_engine("small-test").run(batch())


@pytest.mark.parametrize("compute_type", ["float32", "int8", "int4_bfloat16"])
def test_the_size_of_layers(
    checkpoint: OpenCheckpoint, model: OpenModel, compute_type: str
) -> None:
    opened = model("small-test", compute_type)
    sizes = [
        bytes_of(next(iter(each))) for each in (opened.weights.encoder, opened.weights.decoder)
    ]
    told = layer_bytes(checkpoint("small-test").dimensions, opened.placement)
    assert list(told) == pytest.approx(sizes, rel=0.05)


PEAK = """
import sys
from pathlib import Path
import numpy as np
from quest22.checkpoint.load import load
from quest22.engine.engine import WhisperEngine
from quest22.engine.torch import build
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, Window
from quest22.settings import EngineSettings

free = int(sys.argv[2])
build.free_and_total = lambda _: (free, free)
found = load(sys.argv[1])
settings = EngineSettings(
    engine="torch", device="cpu", device_map="auto", batch_size=1, threads=1
)
backend = build.open_torch_backend(found, settings)
features = np.random.default_rng(0).standard_normal((80, 3000), dtype=np.float32)
asked = DecodingOptions("en", max_new_tokens=3)
window = Window(np.zeros(480_000, np.float32), 0.0, asked, features=features)
(heard,) = WhisperEngine(found, backend, lambda _: features, Metrics()).run([window])
status = Path("/proc/self/status").read_text()
print(status.split("VmHWM:")[1].split()[0], *heard.tokens)
"""


def peak(folder: Path, free: int) -> tuple[int, list[str]]:
    """The most memory that a process had in bytes, and the tokens of a window."""
    made = subprocess.run(
        [sys.executable, "-c", PEAK, str(folder), str(free)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    size, *tokens = made.stdout.split()
    return 1024 * int(size), tokens


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads peaks in /proc")
def test_layers_in_files_take_no_memory(tmp_path: Path) -> None:
    shape = Shape(512, 8, 12, 12, vocab_size=51864)
    folder = write_checkpoint(tmp_path / "deep", shape)
    placement = Placement(CPU, torch.float32)
    dims = load(str(folder)).dimensions
    whole, (encoder, decoder) = weight_bytes(dims, placement), layer_bytes(dims, placement)
    (of_all, expected), (of_few, found) = peak(folder, 10 * whole), peak(folder, whole)
    assert found == expected
    # Half of what is free is taken; two matrices are there twice while a layer is read.
    spared = whole - whole * build.STREAMED_SHARE - 2 * decoder
    assert spared > 5 * encoder
    assert of_few < of_all - spared
