"""What the device itself can do: matrix products, copies, attention, start-up of kernels."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
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
