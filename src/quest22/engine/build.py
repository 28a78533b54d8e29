"""Chooses the engine for a checkpoint by settings and machine, and imports that one alone.

A GPU of CUDA or ROCm is used if PyTorch is there to run it; all else runs on the CPU.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from quest22.checkpoint.load import Checkpoint
from quest22.engine.backend import Backend, explain
from quest22.engine.engine import WhisperEngine
from quest22.errors import MissingExtraError, UsageError
from quest22.metrics import Metrics
from quest22.protocols import FeatureExtractor
from quest22.settings import EngineSettings

_GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Of NVIDIA, of AMD, and of either on Windows' Linux: PyTorch takes seconds to tell the same."""

_log = logging.getLogger("quest22")


def build_engine(
    checkpoint: Checkpoint,
    features: FeatureExtractor,
    settings: EngineSettings,
    metrics: Metrics,
    draft: Checkpoint | None = None,
) -> WhisperEngine:
    """A checkpoint on the best engine of this machine that the settings allow.

    A ``draft`` is a smaller checkpoint that guesses what this one then checks.

    Raises :class:`UsageError` for an engine, device or compute type that is not there, and
    :class:`EngineError` if the model cannot be compiled or memory runs out.
    """
    backend = open_backend(checkpoint, settings, draft)
    return WhisperEngine(checkpoint, backend, features, metrics)


def open_backend(
    checkpoint: Checkpoint, settings: EngineSettings, draft: Checkpoint | None = None
) -> Backend:
    """Only the backend; raises as :func:`build_engine` does."""
    if not uses_torch(settings):
        from quest22.engine.build_cpu import open_cpu_backend

        return open_cpu_backend(checkpoint, settings, draft)
    try:
        from quest22.engine.torch.build import open_torch_backend
    except ModuleNotFoundError as exc:
        if exc.name != "torch":
            raise
        device = settings.device.strip().lower()
        asked = "engine 'torch'" if device in ("auto", "cpu") else f"device {device!r}"
        raise MissingExtraError(asked, "torch") from exc
    return open_torch_backend(checkpoint, settings, draft)


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Whether PyTorch runs a model, else the CPU, and why; ``advice`` gets a GPU to use, if any."""

    torch: bool
    reason: str
    advice: str = ""


def choose_engine(settings: EngineSettings) -> EngineChoice:
    """PyTorch, if the settings name it or a GPU, or if there is a GPU that it can use.

    PyTorch is imported only if there is a GPU. Raises :class:`UsageError` for a device that no
    engine knows, or that the named one lacks.
    """
    device = settings.device.strip().lower()
    kind = device.partition(":")[0]
    if kind not in ("auto", "cpu", "cuda", "mps"):
        raise UsageError(f"device {device!r} is unknown: expected auto, cpu, cuda, cuda:N or mps")
    if settings.engine == "torch":
        return EngineChoice(True, "as --engine says")
    if settings.engine == "auto":
        if kind == "auto":
            return _by_gpu(settings)
        return EngineChoice(kind != "cpu", "as --device says")
    if kind in ("cuda", "mps"):
        raise UsageError(
            f"engine {settings.engine} runs on the CPU, not on device {device!r}: "
            "leave one of them out, or choose --engine torch"
        )
    return EngineChoice(False, "as --engine says")


def uses_torch(settings: EngineSettings) -> bool:
    """Whether PyTorch runs a model; the log says why a GPU is not used. Raises as above."""
    choice = choose_engine(settings)
    if choice.advice:
        _log.info("%s: %s", choice.reason, choice.advice)
    return choice.torch


def device_for_others(settings: EngineSettings) -> str:
    """The device that machines are to use which do the same as this one: ``auto`` is settled here.

    Raises as :func:`uses_torch` does.
    """
    if settings.device.strip().lower() != "auto":
        return settings.device
    return "cuda" if uses_torch(replace(settings, engine="auto")) else "cpu"


def _by_gpu(settings: EngineSettings) -> EngineChoice:
    """PyTorch if a GPU can run what is asked for."""
    if not any(Path(driver).exists() for driver in _GPU_DRIVERS):
        return EngineChoice(False, "there is no GPU with a driver for PyTorch")
    if find_spec("torch") is None:
        return EngineChoice(
            False, "a GPU is there, but not PyTorch to use it", "pip install 'quest22[torch]'"
        )
    try:
        from quest22.engine.torch.device import choose_placement

        choose_placement("cuda", settings.compute_type)
    except UsageError as exc:
        return EngineChoice(False, "the GPU is not used", str(exc))
    except (ImportError, OSError) as exc:  # of its libraries
        return EngineChoice(False, "the GPU is not used", explain("PyTorch does not load", exc))
    return EngineChoice(True, "there is a GPU, and PyTorch can use it")
