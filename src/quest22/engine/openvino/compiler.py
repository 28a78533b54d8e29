"""From graphs to compiled models: the device, its properties, and failures in one line."""

from __future__ import annotations

from dataclasses import dataclass

import openvino as ov

from quest22.engine.precision import Element, Precision, choose_precision
from quest22.errors import EngineError, UsageError
from quest22.native.library import elements, open_library

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
    def open(cls, device: str, compute_type: str, threads: int | None) -> Compiler:
        """Look at the processor and settle the precision; raises :class:`UsageError`."""
        if device.lower() not in ("auto", "cpu"):
            raise UsageError(f"device {device!r}: this engine runs on 'cpu'; give that or 'auto'")
        core = ov.Core()
        capabilities = core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
        native = _ELEMENTS.get(core.get_property(DEVICE, "INFERENCE_PRECISION_HINT"), "f32")
        coded = elements(open_library())
        return cls(core, choose_precision(compute_type, capabilities, native, coded), threads)

    def compile(self, model: ov.Model, streams: int = 1) -> ov.CompiledModel:
        """A model that ``streams`` requests run at once, sharing the threads.

        Raises :class:`EngineError` where OpenVINO refuses the graph or memory runs out.
        """
        try:
            return self.core.compile_model(model, DEVICE, self.properties(streams))
        except (RuntimeError, MemoryError) as exc:
            raise EngineError(explain("OpenVINO could not compile the model", exc)) from exc

    def restore(self, exported: ov.Tensor, streams: int = 1) -> ov.CompiledModel:
        """What :meth:`compile` gave, from its export, whose memory must outlive it."""
        return self.core.import_model(exported, DEVICE, self.properties(streams))

    def properties(self, streams: int = 1) -> dict[str, object]:
        """OpenVINO's properties for this precision."""
        properties: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self.precision.activations,
            "KV_CACHE_PRECISION": self.precision.activations,
            "ENABLE_CPU_PINNING": False,  # a core that others use would hold up every step
        }
        if streams > 1:
            properties["NUM_STREAMS"] = streams
        if self.threads is not None:
            properties["INFERENCE_NUM_THREADS"] = self.threads
        if self.precision.int8:
            group = QUANTIZATION_GROUP if self.precision.quantized else 0
            properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = group
        return properties


def explain(what: str, error: BaseException) -> str:
    """One line from an OpenVINO error, whose last line says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1] if lines else type(error).__name__
    if isinstance(error, MemoryError) or "bad_alloc" in str(error):
        reason = "not enough memory; try a smaller --batch-size or a smaller model"
    return f"{what}: {reason}"
