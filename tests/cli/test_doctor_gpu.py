"""What the doctor says of GPUs and PyTorch, on machines that are made up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from quest22.cli import doctor_gpu
from quest22.cli.doctor_checks import Finding, State
from quest22.cli.doctor_gpu import Acceleration, EngineFound, TorchBuild, find_torch
from quest22.system.graphics import Gpu

H100 = Gpu("NVIDIA", "NVIDIA H100", "580.95", 80 << 30, 79 << 30)
CPU = EngineFound("native", "cpu", "int16", "there is no GPU", "")
CPU_BUILD = TorchBuild("2.13.0+cpu", None, None, None, [], None)
CUDA_BUILD = TorchBuild("2.13.0", "13.0", None, "3.7.0", [], None)
USABLE = TorchBuild("2.13.0", "13.0", None, "3.7.0", ["NVIDIA H100 (cuda:0)"], True)
UNSEEN = TorchBuild("2.13.0", "13.0", None, None, [], None, doctor_gpu.UNSEEN)
BROKEN = TorchBuild("2.13.0", "13.0", None, None, [], None, "PyTorch fails: OSError: x")


@pytest.fixture
def machine(monkeypatch):
    """Makes up a machine, and gives its findings by subject."""

    def make(gpus, build, asked=None):
        monkeypatch.setattr(doctor_gpu, "find_gpus", lambda: gpus)
        monkeypatch.setattr(doctor_gpu, "find_torch", lambda: build)
        monkeypatch.setattr(doctor_gpu, "_asked", lambda build: asked or build)
        acceleration = doctor_gpu.check_acceleration()
        return {each.subject: each for each in acceleration.findings()}

    return make


@pytest.mark.parametrize(
    ("gpus", "build", "asked", "advice"),
    [
        ([], None, None, ""),
        ([], CPU_BUILD, None, ""),
        ([H100], None, None, "pip install 'quest22[torch]'"),
        ([H100], CPU_BUILD, None, "replace PyTorch by a build for CUDA"),
        ([H100], CUDA_BUILD, UNSEEN, "look at nvidia-smi and the driver"),
        ([H100], CUDA_BUILD, BROKEN, "pip install 'quest22[torch]'"),
        ([Gpu("NVIDIA", "a GPU")], None, None, "install the driver of the NVIDIA GPU"),
        ([Gpu("AMD", "a GPU", "6.1")], CUDA_BUILD, None, "replace PyTorch by a build for ROCm"),
        ([Gpu("Apple", "Apple silicon", "26")], None, None, ""),
    ],
)
def test_what_gets_a_gpu_to_work_is_told(machine, gpus, build, asked, advice):
    found = machine(gpus, build, asked)
    run = found["run"]
    if "Apple" not in str(gpus):
        assert (advice in run.advice, bool(run.advice)) == (True, bool(advice))
        assert run.state is (State.NOTE if advice else State.GOOD)
    assert " on cpu in " in run.found
    assert ("pytorch" in found) is (build is not None)
    assert found["gpu"].found.startswith(gpus[0].vendor if gpus else "none")
    for each in found.values():
        assert each.found
        assert "\n" not in each.found + each.advice
        assert each.advice or each.state is State.GOOD


def test_a_gpu_is_told_with_its_memory_and_its_driver():
    engine = EngineFound("torch", "cuda", "bfloat16", "there is a GPU", "")
    gpu, torch, run = Acceleration([H100], USABLE, engine).findings()
    assert gpu.found == "NVIDIA H100 · 84.8 GB of 85.9 GB free · driver 580.95"
    assert torch.found == (
        "PyTorch 2.13.0 · built for CUDA 13.0 · Triton 3.7.0 · NVIDIA H100 (cuda:0) · bfloat16"
    )
    assert run.found == "torch on cuda in bfloat16: there is a GPU"
    assert {each.state for each in (gpu, torch, run)} == {State.GOOD}


def test_a_triton_that_cannot_compile_is_told():
    engine = EngineFound("torch", "cuda", "bfloat16", "a GPU", "")
    build = replace(USABLE, triton_lacks="a C compiler (gcc or clang)")
    _, torch, _ = Acceleration([H100], build, engine).findings()
    assert torch.found.endswith(" · without a C compiler (gcc or clang)")
    assert "install it" in torch.advice


def test_a_gpu_without_triton_is_told():
    engine = EngineFound("torch", "cuda", "bfloat16", "there is a GPU", "")
    _, torch, _ = Acceleration([H100], replace(USABLE, triton=None), engine).findings()
    assert torch.state is State.NOTE
    assert torch.found.endswith(" · no Triton")
    assert "pip install triton" in torch.advice


def test_no_engine_is_a_failure(monkeypatch):
    def fail(*_):
        raise RuntimeError("libfoo.so is not there\nmore")

    monkeypatch.setattr("quest22.engine.describe.describe_engine", fail)
    monkeypatch.setattr(doctor_gpu, "find_gpus", list)
    *_, run = doctor_gpu.check_acceleration().findings()
    assert run.state is State.MISSING
    assert "no engine can run: RuntimeError: libfoo.so is not there" in run.found


VERSION = """from typing import Optional
__version__ = '{version}'
debug = False
cuda: Optional[str] = {cuda}
hip: Optional[str] = {hip}
"""


@pytest.mark.parametrize(
    ("version", "cuda", "hip"),
    [("2.13.0+cu130", "'13.0'", None), ("2.13.0+cpu", None, None), ("2.12.0", None, "'7.1'")],
)
def test_a_build_is_told_by_its_files(tmp_path, version, cuda, hip):
    text = VERSION.format(version=version, cuda=cuda, hip=hip)
    (tmp_path / "version.py").write_text(text)
    found = find_torch(tmp_path)
    plain = [each and each.strip("'") for each in (cuda, hip)]
    assert (found.version, found.cuda, found.rocm) == (version, *plain)


def test_a_broken_package_is_told(tmp_path):
    assert find_torch(tmp_path).problem == "its files are incomplete"


WITHOUT = """
import sys
if {absent}:
    sys.modules["torch"] = None
from quest22.cli.doctor_gpu import check_acceleration
found = check_acceleration()
print("torch" in sys.modules and sys.modules["torch"] is not None, found.torch is None)
"""


@pytest.mark.parametrize("absent", [True, False])
def test_pytorch_is_not_imported_where_there_is_no_gpu(absent):
    if doctor_gpu.find_gpus():
        pytest.skip("this machine has a GPU")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(absent=absent)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    imported, is_absent = done.stdout.split()
    assert imported == "False"
    assert is_absent == "True" or not absent


def test_programs_get_the_same(run, monkeypatch):
    monkeypatch.setattr("quest22.cli.doctor_checks.check_hub", lambda: Finding("hub", "not asked"))
    monkeypatch.setattr(doctor_gpu, "find_gpus", lambda: [H100])
    monkeypatch.setattr(doctor_gpu, "find_torch", lambda: CPU_BUILD)
    told = json.loads(run("doctor", "--json").out)["acceleration"]
    assert told["gpus"][0]["name"] == "NVIDIA H100"
    assert told["torch"]["cuda"] is None
    assert told["engine"]["name"] in ("native", "openvino", "torch")
