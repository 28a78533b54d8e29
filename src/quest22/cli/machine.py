"""What the doctor looks at in the machine: processor, memory, disk."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from quest22.cli.figures import size
from quest22.cli.finding import Finding, note

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

ENOUGH_MEMORY = 2_000_000_000
ENOUGH_DISK = 5_000_000_000


def check_processor() -> Finding:
    """Model, cores that this process may use, and the features that matter."""
    info = _read(Path("/proc/cpuinfo"))
    name = _field(info, "model name") or platform.processor() or platform.machine()
    flags = (_field(info, "flags") or _field(info, "Features")).split()
    known = [label for flag, label in FAST_FLAGS.items() if flag in flags]
    found = f"{name} · {usable_cores()} cores · {' '.join(known) or 'no vector extensions seen'}"
    if flags and not {"avx2", "asimd"}.intersection(flags):
        return note("processor", found, "works, but slowly: a processor with AVX2 is much faster")
    return Finding("processor", found)


def usable_cores() -> int:
    """Cores that this process is allowed to run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_memory() -> Finding:
    """Memory that is free to use, and what to do when it is little."""
    info = _read(Path("/proc/meminfo"))
    available, total = (_kibibytes(info, name) for name in ("MemAvailable", "MemTotal"))
    if not total:
        return note("memory", "cannot be seen on this system", "large-v3 takes about 7 GB")
    found = f"{size(available)} of {size(total)} free"
    if available < ENOUGH_MEMORY:
        return note("memory", found, "close other programs, or use nano, tiny or base")
    return Finding("memory", found)


def check_cache(folder: Path | None = None, enough: float = ENOUGH_DISK) -> Finding:
    """A cache folder, by default the Hub's: writable, and with ``enough`` bytes for models."""
    folder = folder or _hub_cache()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    found = f"{folder} · {size(free)} free"
    if not os.access(existing, os.W_OK):
        return note("cache", f"{folder} is not writable", "set HF_HOME to a folder that is")
    if free < enough:
        return note("cache", found, "free some space, or set HF_HOME to a folder on a larger disk")
    return Finding("cache", found)


def _hub_cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
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
