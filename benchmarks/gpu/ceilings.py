"""What the device itself can do: matrix products, copies, attention, start-up of kernels."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import torch
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu.figures import Recorder, seconds
from benchmarks.gpu.sizes import Sizes, synchronize

BACKENDS = (
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.MATH,
)
REPEATS = 10


def machine(record: Recorder, sizes: Sizes, _: Path) -> None:
    """The device, its memory, and the versions of what runs on it."""
    record("torch", 1, "", torch.__version__)
    record("python", 1, "", platform.python_version())
    record("cores", len(os.sched_getaffinity(0)), "")
    for name in ("triton", "transformers", "faster-whisper", "numpy"):
        found = _version(name)
        record(name, float(found is not None), "", found or "not installed")
    if sizes.device.startswith("cuda"):
        free, total = torch.cuda.mem_get_info()
        record("GPU", 1, "", torch.cuda.get_device_name())
        record("memory", total / 1e9, "GB", f"{free / 1e9:.1f} GB free")
        record("multiprocessors", torch.cuda.get_device_properties(0).multi_processor_count, "")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def ceilings(record: Recorder, sizes: Sizes, _: Path) -> None:
    """Rates of large products, of a copy, and of attention by every implementation there is."""
    dtype = getattr(torch, sizes.dtype)

    def timed(run: Callable[[], object]) -> float:
        def repeated() -> None:
            for _ in range(REPEATS):
                run()
            synchronize(sizes)

        return seconds(repeated, sizes.rounds) / REPEATS

    for m, k, n in sizes.matrices:
        left = torch.randn(m, k, device=sizes.device, dtype=dtype)
        right = torch.randn(k, n, device=sizes.device, dtype=dtype)
        rate = 2 * m * k * n / timed(partial(torch.matmul, left, right))
        record(f"product {m} × {k} × {n}", rate / 1e12, "TFLOP/s", sizes.dtype)
    source = torch.empty(sizes.copied_bytes, dtype=torch.uint8, device=sizes.device)
    both = 2 * sizes.copied_bytes / timed(partial(torch.empty_like(source).copy_, source))
    record("copy", both / 1e9, "GB/s", "read and written")
    batch, heads, frames, size = sizes.attention
    parts = torch.randn(3, batch, heads, frames, size, device=sizes.device, dtype=dtype)
    work = 4 * batch * heads * frames * frames * size
    for backend in BACKENDS:
        name = backend.name.lower()
        try:
            with sdpa_kernel(backend):
                rate = work / timed(lambda: F.scaled_dot_product_attention(*parts))
            record(f"attention {name}", rate / 1e12, "TFLOP/s", str(sizes.attention))
        except RuntimeError as error:
            record(f"attention {name}", 0, "TFLOP/s", str(error).splitlines()[0][:80])


def cross_attention(record: Recorder, sizes: Sizes, _: Path) -> None:
    """What a decoding step waits for: one query of each row to its window's keys and values.

    By PyTorch, and by the kernel of ``cross_kernel.py`` in 16 bits and in int8: how far from
    float64, and how fast memory is read.
    """
    dtype = getattr(torch, sizes.dtype)
    heads, frames, size = sizes.attention[1:]
    shape = (sizes.batches[-1] // 2 or 1, heads, frames, size)
    query = torch.randn(*shape[:2], 1, size, device=sizes.device, dtype=dtype)
    key, value = torch.randn(2, *shape, device=sizes.device, dtype=dtype)
    exact = F.scaled_dot_product_attention(query[:1].double(), key[:1].double(), value[:1].double())

    def measure(name: str, run: Callable[[], torch.Tensor], read_bytes: int) -> None:
        error = (run()[:1].double() - exact).square().mean().sqrt() / exact.std()

        def repeated() -> None:
            for _ in range(REPEATS):
                run()
            synchronize(sizes)

        took_s = seconds(repeated, sizes.rounds) / REPEATS
        record(name, read_bytes / took_s / 1e9, "GB/s", f"{1e3 * took_s:.3f} ms, {shape}")
        record(f"{name}: error", float(error), "of deviation")

    both = 2 * key.numel() * key.element_size()
    measure("PyTorch", partial(F.scaled_dot_product_attention, query, key, value), both)
    if find_spec("triton") is None:
        record("kernel", 0, "GB/s", "Triton is not installed")
        return
    if sizes.toy:  # there is no GPU to compile it for
        os.environ["TRITON_INTERPRET"] = "1"
    from quest22.engine.torch.cross_attention import quantize
    from quest22.engine.torch.cross_kernel import cross_attention as kernel

    measure("kernel", partial(kernel, query, key, value), both)
    (small_key, key_scale), (small_value, value_scale) = quantize(key), quantize(value)
    scales = (key_scale, value_scale)
    measure("kernel int8", partial(kernel, query, small_key, small_value, scales), 2 * key.numel())
