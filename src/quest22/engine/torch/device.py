"""Chooses the device and the number format of the PyTorch engine, or says what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from quest22.engine.precision import canonical_compute_type
from quest22.engine.torch.quantized import Bits
from quest22.errors import UsageError

_NAMES = {
    "float32": torch.float32,
    "fp32": torch.float32,
    "f32": torch.float32,
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
    "float16": torch.float16,
    "fp16": torch.float16,
    "f16": torch.float16,
    "half": torch.float16,
}
_LONG_NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}
_AUTOMATIC = ("auto", "default")
_KINDS: dict[str, tuple[bool, Bits | None]] = {
    "int8_kv": (True, None),
    "int8_weights": (False, "int8"),
    "int8": (True, "int8"),
    "int4": (True, "int4"),
}
"""What a compute type begins with → whether keys and values are int8, and what weights are.

Of two that a name begins with, the first one is meant.
"""
_FIRST_WITH_BFLOAT16 = (8, 0)
"""The compute capability of Ampere; earlier GPUs emulate bfloat16."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the model runs, and the format of its products; sums and logits are float32.

    ``int8_kv``: the cross-attention keys and values are in int8. ``weights``: so are those of the
    linear layers, or in int4; else they are in the format of products.
    """

    device: torch.device
    dtype: torch.dtype
    int8_kv: bool = False
    weights: Bits | None = None

    @property
    def compute_type(self) -> str:
        """The format's name, as ``--compute-type`` has it."""
        kinds = {kind: name for name, kind in _KINDS.items()}
        kind = kinds.get((self.int8_kv, self.weights))
        return f"{kind}_{_LONG_NAMES[self.dtype]}" if kind else _LONG_NAMES[self.dtype]


def choose_placement(device: str, compute_type: str) -> Placement:
    """The device ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:N``, and the format it runs in.

    ``auto`` is the first CUDA device, else Apple's GPU, else the CPU; and bfloat16 on a GPU that
    computes it, float16 on older ones, float32 elsewhere. Raises :class:`UsageError` for what this
    machine or this engine does not have.
    """
    chosen = _device(device.strip().lower())
    name = canonical_compute_type(compute_type.strip().lower().removeprefix("torch."))
    kind = next((each for each in _KINDS if name.startswith(each)), "")
    products = name.removeprefix(kind).removeprefix("_") or "auto"
    return Placement(
        chosen, _dtype(products, compute_type, chosen), *_KINDS.get(kind, (False, None))
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
    kind, colon, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (colon and (kind != "cuda" or not number.isdigit())):
        raise UsageError(f"device {name!r} is unknown: expected auto, cpu, mps, cuda or cuda:N")
    if kind == "cuda":
        return torch.device("cuda", _cuda_number(name, int(number or 0)))
    if kind == "mps" and not _has_mps():
        raise UsageError("device 'mps' is not there: it is the GPU of a Mac with Apple silicon")
    return torch.device(kind)


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def _cuda_number(name: str, number: int) -> int:
    if not torch.cuda.is_available():
        built = torch.version.cuda or torch.version.hip
        reason = (
            "PyTorch finds no GPU: look at nvidia-smi and the driver"
            if built
            else f"PyTorch {torch.__version__} is built for CPUs alone: install one for CUDA"
        )
        raise UsageError(f"device {name!r} is not there: {reason}")
    count = torch.cuda.device_count()
    if number >= count:
        known = "cuda:0 alone" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise UsageError(f"device {name!r} is not there: PyTorch sees {known}")
    return number


def _dtype(name: str, compute_type: str, device: torch.device) -> torch.dtype:
    """The format of a name, which is part of what was asked for."""
    if name in _AUTOMATIC:
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if has_bfloat16(device) else torch.float16
    if name not in _NAMES:
        raise UsageError(
            f"compute type {compute_type!r} is not one of the torch engine: expected auto, "
            "float32, bfloat16, float16, int8_kv, int8, int8_weights or int4"
        )
    dtype = _NAMES[name]
    if device.type == "mps" and dtype != torch.float32:
        raise UsageError(f"compute type {compute_type!r} is not exact on mps: use float32")
    if device.type == "cuda" and dtype == torch.bfloat16 and not has_bfloat16(device):
        model = torch.cuda.get_device_name(device)
        raise UsageError(f"{model} does not compute bfloat16: use float16 or float32")
    return dtype


def has_bfloat16(device: torch.device) -> bool:
    """Whether a GPU of CUDA or ROCm computes bfloat16, and does not emulate it."""
    if torch.version.hip:
        return True
    return torch.cuda.get_device_capability(device) >= _FIRST_WITH_BFLOAT16
