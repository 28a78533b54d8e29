"""What machine this is: processor, cores, memory, as Linux tells."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

FAST_FLAGS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "bf16",
    "amx_bf16": "AMX-bf16",
    "amx_int8": "AMX-int8",
    "asimd": "NEON",
    "bf16": "bf16",
    "sve": "SVE",
}
"""Processor flags that make inference faster, as /proc/cpuinfo writes them (x86, then ARM)."""


def describe() -> dict[str, Any]:
    """This machine and what runs on it, as values of JSON."""
    packages = ("quest22", "openvino", "numpy")
    return {
        "processor": processor_name(),
        "cores": usable_cores(),
        "features": fast_features(),
        "memory_bytes": memory_bytes()[1],
        "system": f"{platform.system()} {platform.release()}",
        "versions": {"Python": platform.python_version()}
        | {name: version(name) for name in packages},
    }


def processor_name() -> str:
    """Its model, or at least its architecture."""
    return (
        _field(_read("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()
    )


def processor_flags() -> list[str]:
    """All that the system lists; empty where it lists none."""
    info = _read("/proc/cpuinfo")
    return (_field(info, "flags") or _field(info, "Features")).split()


def fast_features() -> list[str]:
    """Those flags that matter here, by their usual names."""
    flags = set(processor_flags())
    return [label for flag, label in FAST_FLAGS.items() if flag in flags]


def usable_cores() -> int:
    """Cores that this process is allowed to run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> tuple[int, int]:
    """Free to use, and in all; 0 where the system does not tell."""
    info = _read("/proc/meminfo")
    return _kibibytes(info, "MemAvailable"), _kibibytes(info, "MemTotal")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _field(text: str, name: str) -> str:
    """The value of the first ``name : value`` line; empty if there is none."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _kibibytes(text: str, name: str) -> int:
    number = _field(text, name).removesuffix("kB").strip()
    return int(number) * 1024 if number.isdigit() else 0
