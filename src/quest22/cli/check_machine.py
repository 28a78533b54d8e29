"""What the doctor looks at in the machine: processor, memory, disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from quest22.cli.figures import size
from quest22.cli.finding import Finding, note
from quest22.system.machine import (
    fast_features,
    memory_bytes,
    processor_flags,
    processor_name,
    usable_cores,
)

ENOUGH_MEMORY = 2_000_000_000
ENOUGH_DISK = 5_000_000_000


def check_processor() -> Finding:
    """Model, cores that this process may use, and the features that matter."""
    flags = processor_flags()
    known = " ".join(fast_features()) or "no vector extensions seen"
    found = f"{processor_name()} · {usable_cores()} cores · {known}"
    if flags and not {"avx2", "asimd"}.intersection(flags):
        return note("processor", found, "works, but slowly: a processor with AVX2 is much faster")
    return Finding("processor", found)


def check_memory() -> Finding:
    """Memory that is free to use, and what to do when it is little."""
    available, total = memory_bytes()
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
