"""Which number formats run: from a name that users know and what the processor has."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from quest22.errors import UsageError

Element = Literal["f32", "bf16", "f16"]


@dataclass(frozen=True, slots=True)
class Precision:
    """Formats of the graphs: of activations, and whether the linear layers' weights are int8.

    ``quantized``: those layers' inputs are rounded to int8 too, with a scale for every few values.
    """

    activations: Element
    int8: bool = False
    quantized: bool = False

    @property
    def name(self) -> str:
        """The name by which faster-whisper's users ask for it; ``int8_weights_…`` is ours."""
        long = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}[self.activations]
        if not self.int8:
            return long
        return f"int8_{long}" if self.quantized else f"int8_weights_{long}"


LOGIT_ERROR_LIMIT = {
    "float32": 1e-4,
    "float16": 0.01,
    "bfloat16": 0.1,
    "int8_float32": 0.1,
    "int8_float16": 0.1,
    "int8_bfloat16": 0.15,
    "int8_weights_float32": 0.1,
    "int8_weights_float16": 0.1,
    "int8_weights_bfloat16": 0.15,
}
"""How far a precision's logits may be from float32's: root mean square over their deviation.

A small trained model measured 0.0009 (float16), 0.008 (int8_float32), 0.011 (bfloat16) and
0.013 (int8_bfloat16); random weights, whose logits lie closer together, are allowed more.
"""

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
    "int8": None,
    "int8_float32": "f32",
    "int8_bfloat16": "bf16",
    "int8_float16": "f16",
    "int8_weights": None,
    "int8_weights_float32": "f32",
    "int8_weights_bfloat16": "bf16",
    "int8_weights_float16": "f16",
}
_CAPABILITY = {"bf16": "BF16", "f16": "FP16"}


def choose_precision(
    compute_type: str, capabilities: Collection[str], native: Element = "f32"
) -> Precision:
    """The precision for a name such as ``auto``, ``bfloat16`` or ``int8``.

    ``native`` is what the processor computes fastest and is used where none is named: bfloat16
    with AVX-512 BF16 or AMX, float16 on ARM, float32 with AVX2. Int8 is never chosen unasked: it
    changes more tokens (docs/performance.md). ``capabilities`` are OpenVINO's names for what the
    device computes natively. A 16-bit format that the processor lacks becomes the other one if it
    has that, else float32: emulating it would be slower and no more exact. Raises
    :class:`UsageError` for an unknown name.
    """
    name = compute_type.strip().lower().removeprefix("torch.")
    if name not in _ACTIVATIONS:
        near = get_close_matches(name, _ACTIVATIONS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join(_ACTIVATIONS)
        raise UsageError(f"compute type {compute_type!r} is unknown: expected one of {known}{hint}")
    asked = _ACTIVATIONS[name]
    wishes: tuple[Element, ...] = {
        "f32": ("f32",),
        "f16": ("f16", "bf16", "f32"),
        None: (native, "f32"),
        "bf16": ("bf16", "f32"),
    }[asked]
    able = [wish for wish in wishes if wish == "f32" or _CAPABILITY[wish] in capabilities]
    int8 = name.startswith("int8")
    return Precision(able[0], int8=int8, quantized=int8 and "weights" not in name)
