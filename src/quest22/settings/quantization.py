"""The compute type of a model whose weights are int8 or int4."""

from __future__ import annotations

from typing import Literal, TypeAlias

from quest22.errors import UsageError

Quantization: TypeAlias = Literal["none", "int8", "int4"]

_PRODUCTS = {
    **dict.fromkeys(("auto", "default"), ""),
    **dict.fromkeys(("float32", "fp32", "f32", "int16"), "_float32"),
    **dict.fromkeys(("bfloat16", "bf16"), "_bfloat16"),
    **dict.fromkeys(("float16", "fp16", "f16", "half"), "_float16"),
}
"""A compute type → what the name of one with weights of integers ends with."""

_INT8_KV = ("int8_kv", "int8_sound")
"""Such keys and values belong to int8 and int4 anyway; the second is a former name."""


def quantized_type(compute_type: str, quantization: Quantization) -> str:
    """The compute type with weights in ``quantization``, and products as another one has them.

    Journals and plans record it; one that has such weights already is kept. An unknown name is kept
    too, for the engine to refuse. Raises :class:`UsageError` for weights of another format.
    """
    if quantization == "none":
        return compute_type
    name = compute_type.strip().lower().removeprefix("torch.")
    for prefix in _INT8_KV:
        if name.startswith(prefix):
            return quantization + name.removeprefix(prefix)
    weights = name.partition("_")[0]
    if weights == quantization:
        return compute_type
    if weights in ("int8", "int4", "fp8"):
        raise UsageError(
            f"compute type {compute_type!r} has weights in {weights}, not {quantization}: "
            "leave out one of the two"
        )
    return f"{quantization}{_PRODUCTS[name]}" if name in _PRODUCTS else compute_type
