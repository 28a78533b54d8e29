from __future__ import annotations

import sys

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

import torch

from quest22.errors import MissingExtraError, UsageError
from quest22.runtime.devices.names import chosen_devices
from quest22.settings import EngineSettings
from quest22.settings.forms import read_devices


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, ()),
        ((), ()),
        ("all", ("all",)),
        ("0,1,3", ("cuda:0", "cuda:1", "cuda:3")),
        (2, ("cuda:2",)),
        ([0, "cuda:1"], ("cuda:0", "cuda:1")),
        ("CUDA, 1", ("cuda:0", "cuda:1")),
        ("cpu,cpu", ("cpu", "cpu")),
    ],
)
def test_names_as_people_write_them(given: object, names: tuple[str, ...]) -> None:
    assert read_devices("devices", given) == names


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("gpu", "devices is 'gpu': expected all, numbers of GPUs such as 0,1,3, or names such as"),
        ("all,cpu", "devices is 'all,cpu': expected all"),
        ("-1", "devices is '-1': expected all"),
        ("cuda:0,0", "devices is 'cuda:0,0': cuda:0 is there twice"),
        ("mps,mps", "mps is there twice"),
    ],
)
def test_other_names_are_refused(given: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_devices("devices", given)


def test_one_of_device_and_devices() -> None:
    with pytest.raises(UsageError, match="device 'cuda:1' and devices 'cpu,cpu': name one of them"):
        EngineSettings(device="cuda:1", devices=("cpu", "cpu"))


@pytest.mark.parametrize(
    ("gpus", "names", "chosen"),
    [
        (0, (), ()),
        (0, ("cpu", "cpu"), ("cpu", "cpu")),
        (1, ("all",), ("cuda:0",)),
        (3, ("all",), ("cuda:0", "cuda:1", "cuda:2")),
        (3, ("cuda:2", "cuda:0"), ("cuda:2", "cuda:0")),
    ],
)
def test_devices_that_are_there(
    monkeypatch: pytest.MonkeyPatch, gpus: int, names: tuple[str, ...], chosen: tuple[str, ...]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert chosen_devices(EngineSettings(devices=names)) == chosen


@pytest.mark.parametrize(
    ("gpus", "names", "told"),
    [
        (2, ("cuda:0", "cuda:4"), "cuda:4 is not there: this machine has 2 GPUs, cuda:0 to cuda:1"),
        (1, ("cuda:1",), "cuda:1 is not there: this machine has 1 GPU, cuda:0"),
        (0, ("cuda:0", "cpu"), "cuda:0 is not there: PyTorch finds no GPU on this machine"),
        (0, ("all",), "devices 'all' are all GPUs, and PyTorch finds no GPU on this machine"),
    ],
)
def test_devices_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, gpus: int, names: tuple[str, ...], told: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UsageError, match=told):
        chosen_devices(EngineSettings(devices=names))


def test_the_gpu_of_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert chosen_devices(EngineSettings(devices=("all",))) == ("mps",)


def test_gpus_need_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        MissingExtraError, match=r"devices 'all' needs .* pip install 'quest22\[torc"
    ):
        chosen_devices(EngineSettings(devices=("all",)))
    assert chosen_devices(EngineSettings(devices=("cpu", "cpu"))) == ("cpu", "cpu")
