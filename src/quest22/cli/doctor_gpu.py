"""The checks of ``quest22 doctor`` about GPUs, PyTorch, and the engine that a run would take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from quest22.checkpoint.known_models import KNOWN_MODELS
from quest22.cli.doctor_checks import Finding, missing, note
from quest22.cli.figures import size
from quest22.engine.torch.triton_build import triton_lacks
from quest22.system.graphics import Gpu, find_gpus

GET_TORCH = "pip install 'quest22[torch]', in the build for your GPU that pytorch.org names"
GET_TRITON = "pip install triton, whose kernel reads the keys and values of --compute-type int8_kv"
GET_COMPILER = "install it: Triton compiles a kernel for --compute-type int8_kv"
UNSEEN = "PyTorch finds no GPU"
SHOW = "look at nvidia-smi and the driver; a container must be given the GPU (--gpus all)"
SHAPE = "base"
"""The model whose engine is told: all of Whisper's shapes have the same."""


_TRITON_PACKAGES = ("triton", "pytorch-triton", "pytorch-triton-rocm", "triton-windows")


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """An installed PyTorch; ``cuda`` and ``rocm`` are the versions it is built for, if any.

    The rest is known only if it was imported: ``usable`` GPUs by name, which of them compute
    ``bfloat16``, and a ``problem`` with them.
    """

    version: str
    cuda: Annotated[str | None, "The version of CUDA that it is built for."]
    rocm: Annotated[str | None, "The version of ROCm that it is built for."]
    triton: Annotated[str | None, "The version of Triton, if it is there."]
    usable: Annotated[list[str], "GPUs that it can use."]
    bfloat16: Annotated[bool | None, "All of these compute bfloat16; null if there is none."]
    problem: str = ""
    triton_lacks: Annotated[
        str, "What Triton does not find to compile with; empty for nothing."
    ] = ""


@dataclass(frozen=True, slots=True)
class EngineFound:
    """The engine that a run without further flags takes; empty names if none can run."""

    name: Annotated[str, "`native`, `openvino` or `torch`."]
    device: Annotated[str, "`cpu`, `cuda` or `mps`."]
    compute_type: str
    why: str
    advice: Annotated[str, "How to get the faster one; empty if this is it."]


@dataclass(frozen=True, slots=True)
class Acceleration:
    """What runs models on this machine."""

    gpus: Annotated[list[Gpu], "GPUs, whether anything can use them or not."]
    torch: Annotated[TorchBuild | None, "Null if PyTorch is not installed."]
    engine: EngineFound

    def findings(self) -> Iterator[Finding]:
        """What was found, a line each."""
        for gpu in self.gpus:
            yield _gpu_finding(gpu)
        if not self.gpus:
            yield Finding("gpu", "none")
        if self.torch is not None:
            yield _torch_finding(self.torch, self.gpus)
        yield _engine_finding(self.engine)


def check_acceleration() -> Acceleration:
    """Look for GPUs, PyTorch and the engine. Imports PyTorch only if there is a GPU for it."""
    gpus, build = find_gpus(), find_torch()
    if build is not None and _fits(build, gpus):
        build = _asked(build)
    return Acceleration(gpus, build, _engine(build, gpus))


def find_torch(root: Path | None = None) -> TorchBuild | None:
    """The installed PyTorch, as its files tell it; ``root`` is the package's folder."""
    if root is None:
        try:
            found = find_spec("torch")
        except (ImportError, ValueError):  # half of one, or one that is switched off
            found = None
        if found is None or found.origin is None:
            return None
        root = Path(found.origin).parent
    try:
        text = (root / "version.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return TorchBuild("unknown", None, None, None, [], None, "its files are incomplete")
    triton = _triton_version()
    return TorchBuild(
        _assigned(text, "__version__") or "unknown",
        _assigned(text, "cuda"),
        _assigned(text, "hip") or _assigned(text, "rocm"),
        triton,
        [],
        None,
        triton_lacks="" if triton is None else triton_lacks(),
    )


def _assigned(text: str, name: str) -> str | None:
    """The text that a module assigns to a name."""
    found = re.search(rf"^{name}\b[^=\n]*=\s*['\"]([^'\"]+)['\"]", text, re.MULTILINE)
    return found.group(1) if found else None


def _triton_version() -> str | None:
    """Of Triton under whichever name it was installed; None if the engine would not find it."""
    try:
        if find_spec("triton") is None:
            return None
    except (ImportError, ValueError):
        return None
    for name in _TRITON_PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return "unknown"


def _fits(build: TorchBuild, gpus: Sequence[Gpu]) -> bool:
    """Whether a PyTorch is built for one of the GPUs that are there."""
    built = {"NVIDIA": build.cuda, "AMD": build.rocm, "Apple": "mps"}
    return any(built[gpu.vendor] for gpu in gpus)


def _asked(build: TorchBuild) -> TorchBuild:
    """With what PyTorch itself tells of the GPUs; whatever goes wrong is its problem."""
    try:
        import torch

        from quest22.engine.torch.device import has_bfloat16

        if torch.backends.mps.is_available():
            return replace(build, usable=["mps"], bfloat16=False)
        if not torch.cuda.is_available():
            return replace(build, problem=UNSEEN)
        numbers = range(torch.cuda.device_count())
        names = [f"{torch.cuda.get_device_name(each)} (cuda:{each})" for each in numbers]
        able = all(has_bfloat16(torch.device("cuda", each)) for each in numbers)
        return replace(build, usable=names, bfloat16=able)
    except Exception as exc:
        line = next(iter(str(exc).splitlines()), "")
        return replace(build, problem=f"PyTorch fails: {type(exc).__name__}: {line}")


def _engine(build: TorchBuild | None, gpus: Sequence[Gpu]) -> EngineFound:
    """The engine by the function that runs use, with the advice that fits what was found."""
    try:
        from quest22.engine.describe import describe_engine

        found = describe_engine(KNOWN_MODELS[SHAPE].dimensions)
    except Exception as exc:
        line = next(iter(str(exc).splitlines()), "")
        why = f"{type(exc).__name__}: {line}"
        return EngineFound("", "", "", why, "see the lines above; on the CPU: --device cpu")
    fields = asdict(found)
    if found.device == "cpu":
        fields["advice"] = _advice(build, gpus) or found.advice
    return EngineFound(**fields)


def _advice(build: TorchBuild | None, gpus: Sequence[Gpu]) -> str:
    """How to let a GPU that is there do the work."""
    if not gpus:
        return ""
    if not any(gpu.driver for gpu in gpus):
        return f"install the driver of the {gpus[0].vendor} GPU"
    if build is None:
        return GET_TORCH
    if build.usable:
        return ""
    return _mending(build) if _fits(build, gpus) else _wrong_build(gpus)


def _mending(build: TorchBuild) -> str:
    """What to do where a PyTorch that fits cannot use the GPU."""
    return SHOW if build.problem == UNSEEN else GET_TORCH


def _wrong_build(gpus: Sequence[Gpu]) -> str:
    wanted = " or ".join(sorted({"ROCm" if gpu.vendor == "AMD" else "CUDA" for gpu in gpus}))
    return f"replace PyTorch by a build for {wanted}: pytorch.org names the command"


def _gpu_finding(gpu: Gpu) -> Finding:
    memory = ""
    if gpu.memory_bytes:
        memory = f" · {size(gpu.memory_bytes)}"
        if gpu.free_bytes is not None:
            memory = f" · {size(gpu.free_bytes)} of {size(gpu.memory_bytes)} free"
    found = f"{gpu.vendor} {gpu.name.removeprefix(gpu.vendor).strip()}{memory}"
    if not gpu.driver:
        return note("gpu", f"{found} · no driver", f"install the driver of the {gpu.vendor} GPU")
    return Finding("gpu", f"{found} · driver {gpu.driver}")


def _torch_finding(build: TorchBuild, gpus: Sequence[Gpu]) -> Finding:
    parts = [f"PyTorch {build.version}", _built_for(build)]
    if build.triton:
        parts.append(f"Triton {build.triton}")
    if build.usable:
        parts += build.usable
        parts.append("bfloat16" if build.bfloat16 else "no bfloat16")
    found = " · ".join(parts)
    if gpus and not _fits(build, gpus):
        return note("pytorch", found, _wrong_build(gpus))
    if build.problem:
        return note("pytorch", f"{found} · {build.problem}", _mending(build))
    if build.usable and build.usable != ["mps"] and build.triton is None:
        return note("pytorch", f"{found} · no Triton", GET_TRITON)
    if build.usable and build.usable != ["mps"] and build.triton_lacks:
        return note("pytorch", f"{found} · without {build.triton_lacks}", GET_COMPILER)
    return Finding("pytorch", found)


def _built_for(build: TorchBuild) -> str:
    if build.cuda:
        return f"built for CUDA {build.cuda}"
    if build.usable == ["mps"]:
        return "built for Apple's GPUs"
    return f"built for ROCm {build.rocm}" if build.rocm else "built for CPUs alone"


def _engine_finding(engine: EngineFound) -> Finding:
    if not engine.name:
        return missing("run", f"no engine can run: {engine.why}", engine.advice)
    found = f"{engine.name} on {engine.device} in {engine.compute_type}: {engine.why}"
    return note("run", found, engine.advice) if engine.advice else Finding("run", found)
