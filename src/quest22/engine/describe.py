"""Says which engine would run a model on this machine, in which precision and why, without it.

Asks what :mod:`quest22.engine.build` asks before it opens a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from quest22.checkpoint.config import Dimensions
from quest22.engine.build import choose_engine
from quest22.engine.build_cpu import choose_cpu_engine
from quest22.errors import UsageError
from quest22.settings import EngineSettings

COMPUTE_TYPES = (
    "float32",
    "bfloat16",
    "float16",
    "int16",
    "int8",
    "int8_kv",
    "int8_weights",
    "int4",
)
"""The names of :mod:`quest22.engine.precision`, without those that only spell out activations."""

_ACTIVATIONS = ("", "_float32", "_bfloat16", "_float16")


@dataclass(frozen=True, slots=True)
class EngineDescription:
    """The engine of a run: ``native``, ``openvino`` or ``torch``, on ``cpu`` or a GPU.

    ``why`` says why it is this one; ``advice`` what to do to get the faster one, if there is any.
    """

    name: str
    device: str
    compute_type: str
    why: str
    advice: str = ""


def describe_engine(dims: Dimensions, settings: EngineSettings | None = None) -> EngineDescription:
    """The engine for a model of this shape. Raises :class:`UsageError` for what is not there."""
    settings = settings or EngineSettings()
    choice = choose_engine(settings)
    if choice.torch:
        from quest22.engine.torch.device import choose_placement

        placement = choose_placement(settings.device, settings.compute_type)
        device = placement.device.type
        return EngineDescription("torch", device, placement.compute_type, choice.reason)
    cpu = choose_cpu_engine(dims, settings)
    why = f"{choice.reason}; {cpu.why}" if cpu.why else choice.reason
    return EngineDescription(cpu.name, "cpu", cpu.compute_type, why, choice.advice)


def compute_types(dims: Dimensions) -> Iterator[str]:
    """The compute types that the engine of this machine computes as they are named."""
    for name in COMPUTE_TYPES:
        try:
            found = describe_engine(dims, replace(EngineSettings(), compute_type=name))
        except UsageError:
            continue
        computed = found.compute_type
        if computed.startswith(name) and computed.removeprefix(name) in _ACTIVATIONS:
            yield name
