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
    """Formats of the network: of activations, and what of the rest is int8.

    ``int8``: the linear layers' weights. ``quantized``: those layers' inputs too, in the encoder,
    with a scale for every few values. ``int8_sound``: the keys and values of the sound, which every
    step of the decoder reads; that is what the native library can do.
    """

    activations: Element
    int8: bool = False
    quantized: bool = False
    int8_sound: bool = False

    @property
    def name(self) -> str:
        """The name by which faster-whisper's users ask for it.

        ``int8_weights_…`` and ``int8_sound_…`` are ours.
        """
        long = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}[self.activations]
        if self.int8:
            return f"int8_{long}" if self.quantized else f"int8_weights_{long}"
        return f"int8_sound_{long}" if self.int8_sound else long


LOGIT_ERROR_LIMIT = {
    "float32": 1e-4,
    "float16": 0.01,
    "bfloat16": 0.1,
    "int8_float32": 0.1,
    "int8_float16": 0.1,
    "int8_bfloat16": 0.15,
    "int8_sound_float32": 0.1,
    "int8_sound_bfloat16": 0.1,
    "int8_weights_float32": 0.1,
    "int8_weights_float16": 0.1,
    "int8_weights_bfloat16": 0.15,
}
"""How far a precision's logits may be from float32's: root mean square over their deviation.

What a small trained model measured is in docs/performance.md; random weights, whose logits lie
closer together, are allowed more.
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
    "int8_sound": None,
    "int8_sound_float32": "f32",
    "int8_sound_bfloat16": "bf16",
    "int8_weights": None,
    "int8_weights_float32": "f32",
    "int8_weights_bfloat16": "bf16",
    "int8_weights_float16": "f16",
}
_CAPABILITY = {"bf16": "BF16", "f16": "FP16"}


def choose_precision(
    compute_type: str,
    capabilities: Collection[str],
    native: Element = "f32",
    coded: Collection[str] = (),
) -> Precision:
    """The precision for a name such as ``auto``, ``bfloat16`` or ``int8``.

    ``native`` is what the processor computes fastest and is used where none is named: bfloat16
    with AVX-512 BF16 or AMX, float16 on ARM, float32 with AVX2. ``coded`` names the activations
    that machine code of our own knows: with bfloat16 among them, ``auto`` keeps the keys and values
    of the sound in int8, as that was measured to lose no more (docs/performance.md). Int8 weights
    are never chosen unasked: they change more tokens. ``capabilities`` are OpenVINO's names for
    what the device computes natively. A 16-bit format that the processor lacks becomes the other
    one if it has that, else float32: emulating it would be slower and no more exact. Raises
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
    activations = able[0]
    sound = name.startswith("int8_sound") or (name in ("auto", "default") and activations == "bf16")
    int8 = name.startswith("int8") and not sound
    quantized = int8 and "weights" not in name
    return Precision(activations, int8, quantized, activations in coded and (sound or quantized))
