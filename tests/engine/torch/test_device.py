from __future__ import annotations

import pytest
import torch

from quest22.engine.torch.device import choose_placement
from quest22.errors import UsageError


def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def gpus(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], count: int = 2) -> None:
    """As many CUDA devices of one kind, so far as the choice asks."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "GPU X")


@pytest.mark.parametrize(
    ("compute_type", "chosen"),
    [
        ("auto", "float32"),
        ("float32", "float32"),
        ("bf16", "bfloat16"),
        ("torch.float16", "float16"),
        ("half", "float16"),
        ("int8_kv", "int8_kv_float32"),
        ("int8_sound_bfloat16", "int8_kv_bfloat16"),
        ("int8", "int8_float32"),
        ("int8_weights_bf16", "int8_weights_bfloat16"),
        ("int4", "int4_float32"),
        ("INT4_float16", "int4_float16"),
        ("fp8_encoder", "fp8_encoder_bfloat16"),
        ("fp8_encoder_bf16", "fp8_encoder_bfloat16"),
    ],
)
def test_on_the_cpu(monkeypatch: pytest.MonkeyPatch, compute_type: str, chosen: str) -> None:
    no_gpu(monkeypatch)
    for device in ("auto", "cpu"):
        found = choose_placement(device, compute_type)
        assert (found.device, found.compute_type) == (torch.device("cpu"), chosen)


@pytest.mark.parametrize(
    ("device", "compute_type", "capability", "number", "chosen"),
    [
        ("auto", "auto", (9, 0), 0, "bfloat16"),
        ("cuda", "auto", (7, 5), 0, "float16"),
        ("cuda", "int8_kv", (9, 0), 0, "int8_kv_bfloat16"),
        ("CUDA:1", "float32", (8, 0), 1, "float32"),
        ("cuda", "fp8_encoder", (8, 9), 0, "fp8_encoder_bfloat16"),
    ],
)
def test_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    compute_type: str,
    capability: tuple[int, int],
    number: int,
    chosen: str,
) -> None:
    gpus(monkeypatch, capability)
    monkeypatch.setattr("quest22.engine.torch.device.triton_lacks", str)
    found = choose_placement(device, compute_type)
    assert (found.device, found.compute_type) == (torch.device("cuda", number), chosen)


def test_on_apples(monkeypatch: pytest.MonkeyPatch) -> None:
    no_gpu(monkeypatch)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_placement("auto", "auto").device.type == "mps"
    assert choose_placement("mps", "auto").compute_type == "float32"
    with pytest.raises(UsageError, match="not exact on mps: use float32"):
        choose_placement("mps", "float16")


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "device 'gpu' is unknown: expected auto, cpu, mps, cuda or cuda:N"),
        ("cuda:x", "device 'cuda:x' is unknown"),
        ("cpu:1", "device 'cpu:1' is unknown"),
        ("cuda", "device 'cuda' is not there: PyTorch"),
        ("mps", "device 'mps' is not there"),
    ],
)
def test_what_is_not_there(monkeypatch: pytest.MonkeyPatch, device: str, message: str) -> None:
    no_gpu(monkeypatch)
    with pytest.raises(UsageError, match=message) as caught:
        choose_placement(device, "auto")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("count", "known"), [(1, "PyTorch sees cuda:0 alone"), (2, "PyTorch sees cuda:0 to cuda:1")]
)
def test_a_number_out_of_range(monkeypatch: pytest.MonkeyPatch, count: int, known: str) -> None:
    gpus(monkeypatch, (8, 0), count)
    with pytest.raises(UsageError, match=f"device 'cuda:7' is not there: {known}"):
        choose_placement("cuda:7", "auto")


def test_formats_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, (7, 5))
    with pytest.raises(UsageError, match="GPU X does not compute bfloat16: use float16"):
        choose_placement("cuda", "bfloat16")
    for name in ("int16", "int8_int8", "int9", "int4x"):
        with pytest.raises(UsageError, match=f"{name!r} is not one of the torch engine: expected"):
            choose_placement("cpu", name)


@pytest.mark.parametrize(
    ("compute_type", "capability", "lacks", "hip", "message"),
    [
        ("fp8_encoder", (8, 0), "", None, "from Ada and Hopper on, and this is GPU X: choose bf"),
        ("fp8_encoder", (9, 0), "a C compiler", None, "Triton compiles, and a C compiler is miss"),
        ("fp8_encoder", (9, 4), "", "6.4", "is for NVIDIA's GPUs, and this one is AMD's"),
        ("fp8_encoder_float16", (9, 0), "", None, "the rest in bfloat16, not in 'float16': leave"),
        ("fp8_encoder_int3", (9, 0), "", None, "the rest in bfloat16, not in 'int3': leave"),
    ],
)
def test_float8_where_it_brings_nothing(
    monkeypatch: pytest.MonkeyPatch,
    compute_type: str,
    capability: tuple[int, int],
    lacks: str,
    hip: str | None,
    message: str,
) -> None:
    gpus(monkeypatch, capability)
    monkeypatch.setattr("quest22.engine.torch.device.triton_lacks", lambda: lacks)
    monkeypatch.setattr(torch.version, "hip", hip)
    with pytest.raises(UsageError, match=message):
        choose_placement("cuda", compute_type)
