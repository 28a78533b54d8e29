"""Chooses number formats from a compute type and what the processor supports."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from quest22.checkpoint.config import Dimensions
from quest22.errors import UsageError

Element = Literal["f32", "bf16", "f16"]

_LONG_NAMES: dict[Element, str] = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}


@dataclass(frozen=True, slots=True)
class Precision:
    """The format of activations, and which other values are int8.

    ``int8``: the linear layers' weights. ``quantized``: those layers' inputs in the encoder too,
    with a scale for every few values. ``int8_kv``: the cross-attention keys and values, which
    every step of the decoder reads; only the native library can do that. ``int16``: all products of
    the encoder and of the decoder's linear layers are of 16-bit integers, with a scale for every
    few values; only the native library can do that, where it has no bfloat16. ``int4``: the linear
    layers' weights; only the native library can do that.
    """

    activations: Element
    int8: bool = False
    quantized: bool = False
    int8_kv: bool = False
    int16: bool = False
    int4: bool = False

    @property
    def name(self) -> str:
        """The compute type: CTranslate2's, or ``int8_weights_…``, ``int8_kv_…``, ``int4_…``."""
        activations = _LONG_NAMES[self.activations]
        if self.int4:
            return f"int4_{activations}"
        if self.int8:
            return f"int8_{activations}" if self.quantized else f"int8_weights_{activations}"
        if self.int16:
            return "int16"
        return f"int8_kv_{activations}" if self.int8_kv else activations


_ACTIVATIONS: dict[str, Element | None] = {
    "auto": None,
    "default": None,
    "float32": "f32",
    "fp32": "f32",
    "f32": "f32",
    "bfloat16": "bf16",
    "bf16": "bf16",
    "float16": "f16",
    "fp16": "f16",
    "f16": "f16",
    "half": "f16",
    "int16": "f32",
    "int8": None,
    "int8_float32": "f32",
    "int8_bfloat16": "bf16",
    "int8_float16": "f16",
    "int8_kv": None,
    "int8_kv_float32": "f32",
    "int8_kv_bfloat16": "bf16",
    "int8_weights": None,
    "int8_weights_float32": "f32",
    "int8_weights_bfloat16": "bf16",
    "int8_weights_float16": "f16",
    "int4": None,
    "int4_float32": "f32",
    "int4_bfloat16": "bf16",
    "int4_float16": "f16",
}
_CAPABILITY = {"bf16": "BF16", "f16": "FP16"}
INT4_GROUP = 32
"""Inputs of a layer that share a scale in int4."""
_FORMER_PREFIX = "int8_sound"


def canonical_compute_type(compute_type: str) -> str:
    """Today's name of a compute type: ``int8_sound…`` was the former name of ``int8_kv…``.

    Other names stay as they are.
    """
    if not compute_type.startswith(_FORMER_PREFIX):
        return compute_type
    return "int8_kv" + compute_type.removeprefix(_FORMER_PREFIX)


def is_replaced(compute_type: str, precision: Precision) -> bool:
    """Whether a compute type names another format of activations than the precision has."""
    name = canonical_compute_type(compute_type.strip().lower().removeprefix("torch."))
    return _ACTIVATIONS.get(name) not in (None, precision.activations)


def check_int4(dims: Dimensions) -> None:
    """Raises :class:`UsageError` for a model with layers that int4 has no whole groups for."""
    for inputs in (dims.d_model, dims.encoder_ffn, dims.decoder_ffn):
        if inputs % INT4_GROUP:
            raise UsageError(
                f"int4 needs layers whose inputs are groups of {INT4_GROUP}, and this model has "
                f"layers with {inputs}: choose int8"
            )


def choose_precision(
    compute_type: str,
    capabilities: Collection[str],
    fastest: Element = "f32",
    native_formats: Collection[str] = (),
) -> Precision:
    """The precision for a compute type such as ``auto``, ``bfloat16`` or ``int8``.

    ``fastest`` is the format that the processor computes fastest: bfloat16 with AVX-512 BF16 or
    AMX, float16 on ARM, float32 with AVX2. It is used if the compute type names none.
    ``capabilities`` are OpenVINO's names for the formats that the processor computes. A 16-bit
    format that it lacks is replaced by the other one if supported, else by float32: emulation would
    be slower and no more exact.

    ``native_formats`` are what the native library multiplies. With bfloat16 among them, ``auto``
    keeps cross-attention keys and values in int8, which costs no accuracy (docs/performance.md).
    With ``i16`` it means ``int16``, which does so too, except where float16 is fastest: on ARM, an
    instruction multiplies twice as many numbers in float16 as in int16. It never chooses int8 or
    int4 weights, which change more tokens. Raises :class:`UsageError` for an unknown name.
    """
    name = canonical_compute_type(compute_type.strip().lower().removeprefix("torch."))
    if name.startswith("fp8_encoder"):
        raise UsageError(
            f"compute type {compute_type!r} is for GPUs that multiply float8, with --engine torch: "
            "leave it out on the CPU"
        )
    if name not in _ACTIVATIONS:
        near = get_close_matches(name, _ACTIVATIONS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join(_ACTIVATIONS)
        raise UsageError(f"compute type {compute_type!r} is unknown: expected one of {known}{hint}")
    automatic = name in ("auto", "default")
    int4 = name.startswith("int4")
    if "i16" in native_formats and (int4 or fastest != "f16"):  # by a library without bfloat16
        name, fastest = "int16" if automatic else name, "f32"
    preferred: tuple[Element, ...] = {
        "f32": ("f32",),
        "f16": ("f16", "bf16", "f32"),
        None: (fastest, "f32"),
        "bf16": ("bf16", "f32"),
    }[_ACTIVATIONS[name]]
    supported = [each for each in preferred if each == "f32" or _CAPABILITY[each] in capabilities]
    activations = supported[0]
    int8_kv = name.startswith("int8_kv") or (automatic and activations == "bf16")
    int8 = name.startswith("int8") and not int8_kv
    quantized = int8 and "weights" not in name
    of_integers = name == "int16" or quantized or int4
    int16 = of_integers and activations == "f32" and "i16" in native_formats
    native_int8_kv = activations in native_formats and (int8_kv or quantized or int4 or int16)
    return Precision(activations, int8, quantized, native_int8_kv, int16, int4)
