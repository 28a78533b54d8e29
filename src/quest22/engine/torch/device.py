"""Chooses the device and the number format of the PyTorch engine, or says what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from quest22.engine.precision import canonical_compute_type
from quest22.engine.torch.quantized import Bits
from quest22.engine.torch.triton_build import triton_lacks
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
_KINDS: dict[str, tuple[bool, Bits | None, bool]] = {
    "int8_kv": (True, None, False),
    "int8_weights": (False, "int8", False),
    "int8": (True, "int8", False),
    "int4": (True, "int4", False),
    "fp8_encoder": (False, None, True),
}
"""What a compute type begins with → whether keys and values are int8, what weights are, and whether
the encoder's layers are float8.

Of two that a name begins with, the first one is meant.
"""
_FIRST_WITH_BFLOAT16 = (8, 0)
"""The compute capability of Ampere; earlier GPUs emulate bfloat16."""
_FIRST_WITH_FP8 = (8, 9)
"""That of Ada; Hopper has 9.0."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the model runs, and the format of its products; sums and logits are float32.

    ``int8_kv``: the cross-attention keys and values are in int8. ``weights``: so are those of the
    linear layers, or in int4; else they are in the format of products. ``fp8_encoder``: those of
    the encoder, and what they multiply, are in float8.
    """

    device: torch.device
    dtype: torch.dtype
    int8_kv: bool = False
    weights: Bits | None = None
    fp8_encoder: bool = False

    @property
    def compute_type(self) -> str:
        """The format's name, as ``--compute-type`` has it."""
        kinds = {kind: name for name, kind in _KINDS.items()}
        kind = kinds.get((self.int8_kv, self.weights, self.fp8_encoder))
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
    if kind == "fp8_encoder":
        products = _beside_fp8(products, chosen)
    kinds = _KINDS.get(kind, (False, None, False))
    return Placement(chosen, _dtype(products, compute_type, chosen), *kinds)


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
            "float32, bfloat16, float16, int8_kv, int8, int8_weights, int4 or fp8_encoder"
        )
    dtype = _NAMES[name]
    if device.type == "mps" and dtype != torch.float32:
        raise UsageError(f"compute type {compute_type!r} is not exact on mps: use float32")
    if device.type == "cuda" and dtype == torch.bfloat16 and not has_bfloat16(device):
        model = torch.cuda.get_device_name(device)
        raise UsageError(f"{model} does not compute bfloat16: use float16 or float32")
    return dtype


def _beside_fp8(products: str, device: torch.device) -> str:
    """The format of what is not float8: GPUs give sums of rows with scales in bfloat16 alone.

    On a CPU, which widens float8, it is only for measuring what texts become.
    """
    if products not in _AUTOMATIC and _NAMES.get(products) != torch.bfloat16:
        raise UsageError(
            f"compute type 'fp8_encoder' computes the rest in bfloat16, not in {products!r}: "
            "leave that out"
        )
    if device.type == "cuda":
        lacks = _lacks_for_fp8(device)
        if lacks:
            raise UsageError(f"compute type 'fp8_encoder' {lacks}: choose bfloat16")
    return "bfloat16"


def _lacks_for_fp8(device: torch.device) -> str:
    if torch.version.hip:
        return "is for NVIDIA's GPUs, and this one is AMD's"
    if torch.cuda.get_device_capability(device) < _FIRST_WITH_FP8:
        model = torch.cuda.get_device_name(device)
        return f"needs a GPU that multiplies float8, from Ada and Hopper on, and this is {model}"
    lacks = triton_lacks()
    return f"needs a kernel that Triton compiles, and {lacks} is missing" if lacks else ""


def has_bfloat16(device: torch.device) -> bool:
    """Whether a GPU of CUDA or ROCm computes bfloat16, and does not emulate it."""
    if torch.version.hip:
        return True
    return torch.cuda.get_device_capability(device) >= _FIRST_WITH_BFLOAT16
