"""How far the engine is from what the machine can do.

    python -m benchmarks.roofline [--shapes tiny,base] [--bench build/bench.json]

Measures what the cores can multiply (``peak.c``; where that cannot run, the matrix products of
OpenVINO) and how fast memory is read, counts what a window of 30 s takes (operations of the
encoder, bytes that decoding reads) and prints how long that must take at least. With the figures
of ``quest22 bench --json``, also how long it does take.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import hatch_build
from quest22.bench.random_checkpoint import SHAPES, Shape
from quest22.engine.openvino.compiler import Compiler
from quest22.engine.openvino.graph_layers import matrix, parameter, result
from quest22.native import library
from quest22.system.machine import describe, processor_flags, usable_cores

SIDE = 2048
FRAMES = 1500
BUFFER_FLOATS = 128 << 20
TOKENS, BATCH = 100, 16
WEIGHT_BYTES, HEARD_BYTES = 2, 1  # the default: bfloat16, the sound in int8
COMPUTE_TYPES = ("float32", "bfloat16", "int8")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a window of 30 s: operations of the encoder, bytes that decoding reads."""

    encoder_flop: float
    decoder_bytes: float


def cost(shape: Shape, tokens: int, batch: int) -> Cost:
    """Multiplications and additions count as two; weights are shared by the batch."""
    d, frames = shape.d_model, FRAMES
    convolutions = 2 * frames * 3 * d * (2 * shape.mel_bins + d)
    linear = 2 * frames * 12 * d * d
    attention = 4 * frames * frames * d
    cross = 2 * frames * 2 * d * d * shape.decoder_layers
    encoder = convolutions + shape.encoder_layers * (linear + attention) + cross
    heard = 2 * shape.decoder_layers * frames * d
    weights = shape.decoder_layers * 14 * d * d + shape.vocab_size * d
    return Cost(encoder, tokens * (HEARD_BYTES * heard + WEIGHT_BYTES * weights / batch))


def matrix_rate(compute_type: str) -> float:
    """Operations a second of a product of two large matrices."""
    from openvino import Model
    from openvino import opset13 as ops

    compiler = Compiler.open("cpu", compute_type, None)
    weight = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
    rows = parameter([SIDE, SIDE], "f32", "rows")
    product = ops.matmul(rows, matrix(weight, compiler.precision.int8), False, True)
    request = compiler.compile(Model([result(product, "y")], [rows])).create_infer_request()
    request.infer({"rows": weight})
    return 2 * SIDE**3 / _seconds(request.infer)


def peak_rates() -> dict[str, float]:
    """Operations a second that the cores can do at most, by format; empty where that cannot run."""
    source, command = Path(__file__).with_name("peak.c"), hatch_build.compiler()
    if not command or not library.NEEDED_FLAGS["avx512_bf16"] <= set(processor_flags()):
        return {}
    with TemporaryDirectory() as folder:
        program = str(Path(folder) / "peak")
        compiled = [*command, "-O2", "-pthread", str(source), "-o", program]
        subprocess.run(compiled, check=True)  # noqa: S603
        said = subprocess.run(  # noqa: S603
            [program, str(usable_cores())], check=True, capture_output=True, text=True
        )
    return {name: float(rate) for name, rate in map(str.split, said.stdout.splitlines())}


def memory_rate() -> float:
    """Bytes a second of reading a buffer that no cache holds."""
    import openvino as ov
    from openvino import opset13 as ops

    compiler = Compiler.open("cpu", "float32", None)
    buffer = np.ones((1024, BUFFER_FLOATS // 1024), np.float32)
    read = parameter(list(buffer.shape), "f32", "read")
    model = ov.Model([result(ops.reduce_sum(read, np.array([1])), "sum")], [read])
    request = compiler.compile(model).create_infer_request()
    request.set_tensor("read", ov.Tensor(buffer, shared_memory=True))
    return buffer.nbytes / _seconds(request.infer)


def _seconds(run: Callable[[], Any], rounds: int = 9) -> float:
    run()
    times = []
    for _ in range(rounds):
        begun_s = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun_s)
    return median(times)


def measured(path: Path | None) -> dict[str, tuple[float, float]]:
    """Milliseconds a window of encoder and decoder by shape, from the figures of the bench."""
    if path is None or not path.is_file():
        return {}
    found = {}
    for outcome in json.loads(path.read_text())["outcomes"]:
        if outcome["measure"] == "throughput":
            ours = outcome["results"][0]
            parts = [
                1000 * ours["parts"][name] / ours["windows"] for name in ("encoder", "decoder")
            ]
            found[outcome["model"].split(",")[0]] = (parts[0], parts[1])
    return found


def main() -> int:
    """Print limits, floors and what was reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roofline")
    parser.add_argument("--shapes", default="tiny,base,small")
    parser.add_argument("--bench", type=Path, default=Path("build/bench.json"))
    given = parser.parse_args()
    machine = describe()
    print(f"{machine['processor']}, {machine['cores']} cores, {' '.join(machine['features'])}")
    rates = peak_rates() or {name: matrix_rate(name) for name in COMPUTE_TYPES}
    for name, rate in rates.items():
        print(f"products, {name}: {rate / 1e9:.0f} GFLOP/s")
    reading = memory_rate()
    print(f"reading memory: {reading / 1e9:.1f} GB/s\n")
    reached = measured(given.bench)
    print(
        "| shape | encoder GFLOP | floor ms, bfloat16 | took | decoder GB "
        f"({TOKENS} tokens, batch {BATCH}) | floor ms | took |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in given.shapes.split(","):
        needs = cost(SHAPES[name], TOKENS, BATCH)
        encoder_ms = 1000 * needs.encoder_flop / rates["bfloat16"]
        decoder_ms = 1000 * needs.decoder_bytes / reading
        took = [f"{value:.0f}" for value in reached.get(name, ())] or ["–", "–"]
        print(
            f"| {name} | {needs.encoder_flop / 1e9:.1f} | {encoder_ms:.0f} | {took[0]} "
            f"| {needs.decoder_bytes / 1e9:.2f} | {decoder_ms:.0f} | {took[1]} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
