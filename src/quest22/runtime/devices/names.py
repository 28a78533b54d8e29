"""Which devices share a run, by the names that ``--devices`` has."""

from __future__ import annotations

from collections.abc import Sequence

from quest22.errors import MissingExtraError, UsageError
from quest22.settings import EngineSettings
from quest22.settings.forms import ALL_DEVICES


def chosen_devices(settings: EngineSettings) -> tuple[str, ...]:
    """The devices by name, such as ``cuda:0``; none if the settings leave it to ``device``.

    Raises :class:`UsageError` for devices that this machine does not have.
    """
    names = settings.devices
    if not any(name == ALL_DEVICES or name.startswith("cuda") for name in names):
        return names
    gpus = _cuda_devices(",".join(names))
    if ALL_DEVICES in names:
        return tuple(gpus) or _other_gpus()
    for name in names:
        if name.startswith("cuda") and name not in gpus:
            raise UsageError(f"{name} is not there: {_what_is_there(gpus)}")
    return names


def _cuda_devices(asked: str) -> list[str]:
    """Counted without using one: that would take memory of the first."""
    try:
        import torch
    except ModuleNotFoundError as exc:
        raise MissingExtraError(f"devices {asked!r}", "torch") from exc
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]


def _other_gpus() -> tuple[str, ...]:
    import torch

    if torch.backends.mps.is_available():
        return ("mps",)
    raise UsageError(
        f"devices '{ALL_DEVICES}' are all GPUs, and {_what_is_there([])}; name devices, such as "
        "cpu,cpu, or leave --devices out"
    )


def _what_is_there(gpus: Sequence[str]) -> str:
    if not gpus:
        return "PyTorch finds no GPU on this machine (quest22 doctor tells more)"
    if len(gpus) == 1:
        return f"this machine has 1 GPU, {gpus[0]}"
    return f"this machine has {len(gpus)} GPUs, {gpus[0]} to {gpus[-1]}"
