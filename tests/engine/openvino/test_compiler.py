from __future__ import annotations

import openvino as ov
import pytest

from quest22.engine.openvino.compiler import Compiler
from quest22.errors import EngineError, UsageError


@pytest.mark.parametrize("device", ["cpu", "CPU", "auto"])
def test_the_cpu_is_the_only_device(device: str) -> None:
    assert Compiler.open(device, "float32", 2).threads == 2


def test_another_device_is_refused() -> None:
    with pytest.raises(UsageError, match="device 'gpu' is not supported: expected 'cpu' or 'auto'"):
        Compiler.open("gpu", "float32", None)


def test_properties_say_precision_threads_and_streams() -> None:
    compiler = Compiler.open("cpu", "float32", 3)
    assert compiler.properties() == {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "KV_CACHE_PRECISION": "f32",
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_NUM_THREADS": 3,
    }
    assert compiler.properties(2)["NUM_STREAMS"] == 2
    assert "INFERENCE_NUM_THREADS" not in Compiler.open("cpu", "float32", None).properties()


@pytest.mark.parametrize(("compute_type", "group"), [("int8", 128), ("int8_weights_float32", 0)])
def test_int8_weights_are_quantized_in_groups_only_with_int8_inputs(
    compute_type: str, group: int
) -> None:
    properties = Compiler.open("cpu", compute_type, None).properties()
    assert properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] == group


def test_what_openvino_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def compile_model(self, *_: object) -> ov.CompiledModel:
            raise RuntimeError("Exception from src/core.cpp:1:\nno kernel for this node\n")

    opened = Compiler.open("cpu", "float32", None)
    compiler = Compiler(Refusing(), opened.precision)
    with pytest.raises(EngineError, match="OpenVINO could not compile the model") as caught:
        compiler.compile(None)
    assert "\n" not in str(caught.value)
