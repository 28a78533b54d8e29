"""Compiles graphs for the processor, with its properties; translates failures to one line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import openvino as ov

from quest22.engine.backend import explain
from quest22.engine.precision import Element, Precision, choose_precision
from quest22.errors import EngineError, UsageError
from quest22.system.forks import kept_in_children
from quest22.system.machine import quota_cores
from quest22.system.openvino_core import openvino_core

DEVICE = "CPU"
QUANTIZATION_GROUP = 128
_ELEMENTS: dict[ov.Type, Element] = {
    ov.Type.f32: "f32",
    ov.Type.bf16: "bf16",
    ov.Type.f16: "f16",
}


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles graphs for the CPU in one precision, on ``threads`` threads (None: all cores)."""

    core: ov.Core
    precision: Precision
    threads: int | None = None

    @classmethod
    def open(
        cls,
        device: str,
        compute_type: str,
        threads: int | None,
        native_formats: Collection[str] = (),
    ) -> Compiler:
        """Choose the precision for this processor.

        ``native_formats`` are as for :func:`quest22.engine.precision.choose_precision`. Raises
        :class:`UsageError` for another device than the CPU and for an unknown compute type.
        """
        if device.lower() not in ("auto", "cpu"):
            raise UsageError(f"device {device!r} is not supported: expected 'cpu' or 'auto'")
        core = openvino_core()
        capabilities = core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
        fastest = _ELEMENTS.get(core.get_property(DEVICE, "INFERENCE_PRECISION_HINT"), "f32")
        precision = choose_precision(compute_type, capabilities, fastest, native_formats)
        return cls(core, precision, threads)

    def compile(self, model: ov.Model, streams: int = 1) -> ov.CompiledModel:
        """A model that ``streams`` requests run at once, sharing the threads.

        Raises :class:`EngineError` if OpenVINO refuses the graph or memory runs out.
        """
        try:
            return kept_in_children(
                self.core.compile_model(model, DEVICE, self.properties(streams))
            )
        except (RuntimeError, MemoryError) as exc:
            raise EngineError(explain("OpenVINO could not compile the model", exc)) from exc

    def restore(self, exported: ov.Tensor, streams: int = 1) -> ov.CompiledModel:
        """A compiled model from its export, whose memory must outlive it."""
        return kept_in_children(self.core.import_model(exported, DEVICE, self.properties(streams)))

    def properties(self, streams: int = 1) -> dict[str, object]:
        """OpenVINO's properties for this precision."""
        properties: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self.precision.activations,
            "KV_CACHE_PRECISION": self.precision.activations,
            "ENABLE_CPU_PINNING": False,  # a core that others use too would delay every step
        }
        if streams > 1:
            properties["NUM_STREAMS"] = streams
        if threads := self.threads or quota_cores():
            properties["INFERENCE_NUM_THREADS"] = threads
        if self.precision.int8:
            group = QUANTIZATION_GROUP if self.precision.quantized else 0
            properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = group
        return properties
