"""Chooses the engine for a checkpoint by settings and machine, and imports that one alone.

A GPU of CUDA or ROCm is used if PyTorch is there to run it; all else runs on the CPU.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from quest22.checkpoint.load import Checkpoint
from quest22.engine.backend import Backend
from quest22.engine.engine import WhisperEngine
from quest22.errors import MissingExtraError, UsageError
from quest22.metrics import Metrics
from quest22.protocols import FeatureExtractor
from quest22.settings import EngineSettings

_GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Of NVIDIA, of AMD, and of either on Windows' Linux: PyTorch takes seconds to tell the same."""

_log = logging.getLogger("quest22")


def build_engine(
    checkpoint: Checkpoint, features: FeatureExtractor, settings: EngineSettings, metrics: Metrics
) -> WhisperEngine:
    """A checkpoint on the best engine of this machine that the settings allow.

    Raises :class:`UsageError` for an engine, device or compute type that is not there, and
    :class:`EngineError` if the model cannot be compiled or memory runs out.
    """
    return WhisperEngine(checkpoint, open_backend(checkpoint, settings), features, metrics)


def open_backend(checkpoint: Checkpoint, settings: EngineSettings) -> Backend:
    """Only the backend; raises as :func:`build_engine` does."""
    if not uses_torch(settings):
        from quest22.engine.build_cpu import open_cpu_backend

        return open_cpu_backend(checkpoint, settings)
    try:
        from quest22.engine.torch.build import open_torch_backend
    except ModuleNotFoundError as exc:
        if exc.name != "torch":
            raise
        device = settings.device.strip().lower()
        asked = "engine 'torch'" if device in ("auto", "cpu") else f"device {device!r}"
        raise MissingExtraError(asked, "torch") from exc
    return open_torch_backend(checkpoint, settings)


def uses_torch(settings: EngineSettings) -> bool:
    """Whether the settings mean PyTorch: by its name, by a GPU's, or if there is a GPU to use.

    Raises :class:`UsageError` for a device that no engine knows, or that the named one lacks.
    """
    device = settings.device.strip().lower()
    kind = device.partition(":")[0]
    if kind not in ("auto", "cpu", "cuda", "mps"):
        raise UsageError(f"device {device!r} is unknown: expected auto, cpu, cuda, cuda:N or mps")
    if settings.engine == "torch":
        return True
    if settings.engine == "auto":
        return kind in ("cuda", "mps") or (kind == "auto" and _gpu_is_ready(settings))
    if kind in ("cuda", "mps"):
        raise UsageError(
            f"engine {settings.engine} runs on the CPU, not on device {device!r}: "
            "leave one of them out, or choose --engine torch"
        )
    return False


def device_for_others(settings: EngineSettings) -> str:
    """The device that machines are to use which do the same as this one: ``auto`` is settled here.

    Raises as :func:`uses_torch` does.
    """
    if settings.device.strip().lower() != "auto":
        return settings.device
    return "cuda" if uses_torch(replace(settings, engine="auto")) else "cpu"


def _gpu_is_ready(settings: EngineSettings) -> bool:
    """Whether a GPU can run what is asked for; if not, the log says why."""
    if not any(Path(driver).exists() for driver in _GPU_DRIVERS):
        return False
    if find_spec("torch") is None:
        _log.info("a GPU is there, but not PyTorch to use it: pip install 'quest22[torch]'")
        return False
    from quest22.engine.torch.device import choose_placement

    try:
        choose_placement("cuda", settings.compute_type)
    except UsageError as exc:
        _log.info("the GPU is not used: %s", exc)
        return False
    return True
