"""The machine that this process runs on: processor, cores, memory; on Linux, macOS and Windows.

What a system does not report is empty or 0, never an error.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Annotated

from typing_extensions import TypedDict

FAST_FLAGS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "bf16",
    "amx_bf16": "AMX-bf16",
    "amx_int8": "AMX-int8",
    "asimd": "NEON",
    "asimddp": "dotprod",
    "bf16": "bf16",
    "sve": "SVE",
}
"""Processor flags that make inference faster, named as in /proc/cpuinfo (x86, then ARM)."""

ASSUMED_MEMORY_BYTES = 8 << 30
"""The memory of a machine that does not report it."""

_CGROUPS = "/sys/fs/cgroup"
_SYSCTL_TIMEOUT_S = 5.0


class MachineFields(TypedDict):
    """The machine that was measured, and what runs on it."""

    processor: str
    cores: Annotated[int, "Those that the process may run on: affinity and quota count."]
    features: Annotated[list[str], "Instruction sets that make inference faster, such as `AVX2`."]
    memory_bytes: Annotated[int, "All of the machine's; 0 if the system does not report it."]
    system: str
    versions: Annotated[dict[str, str], "Of Python and of packages, by name."]


def describe() -> MachineFields:
    """This machine and what runs on it, as JSON values."""
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
    """The processor's model, or at least its architecture."""
    return (
        _field(_read("/proc/cpuinfo"), "model name")
        or _command_output("sysctl", "-n", "machdep.cpu.brand_string").strip()
        or platform.processor()
        or platform.machine()
    )


def processor_flags() -> list[str]:
    """The processor's features, named as in /proc/cpuinfo; empty if the system lists none.

    Windows lists none: the native library is not used there.
    """
    info = _read("/proc/cpuinfo")
    return (_field(info, "flags") or _field(info, "Features")).split() or _macos_flags()


def fast_features() -> list[str]:
    """The flags of :data:`FAST_FLAGS` that this processor has, by their usual names."""
    flags = set(processor_flags())
    return [label for flag, label in FAST_FLAGS.items() if flag in flags]


def usable_cores() -> int:
    """The number of cores that this process may run on: its affinity, and its container's quota.

    A quota of one and a half cores counts as two: the half is used by whoever is ready.
    """
    return quota_cores() or _affinity_cores()


def quota_cores() -> int | None:
    """The cores that a container's quota leaves of those in reach; None if it leaves all.

    For libraries that choose their number of threads: they heed affinity, and no quota.
    """
    cores = _affinity_cores()
    quota = max(1, math.ceil(min(_cpu_quotas(), default=cores)))
    return quota if quota < cores else None


def _affinity_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_quotas() -> Iterator[float]:
    """The numbers of cores that control groups of this process allow, for those that limit it."""
    first = zip(
        _control_files("cpu.cfs_quota_us", "cpu"),
        _control_files("cpu.cfs_period_us", "cpu"),
        strict=False,
    )
    limits = [*(text.split() for text in _control_files("cpu.max", "")), *map(list, first)]
    for limit in limits:
        if len(limit) == 2 and limit[0].isdigit() and limit[1].isdigit() and int(limit[1]):
            yield int(limit[0]) / int(limit[1])


def _control_files(name: str, controller: str) -> list[str]:
    """A control file of this process's group and of those around it, from the inside out.

    ``controller`` is that of the first version of control groups, where each has a tree of its own;
    the second version has one tree, and no controller. In a container the outermost visible group
    is its own.
    """
    root, mounted = _control_mount(controller)
    path = PurePosixPath("/")
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, own = line.split(":", 2)
        if controller in controllers.split(","):
            path = PurePosixPath(own)
    # A group outside of what is mounted here is known by the mount alone.
    inside = path.relative_to(root) if path.is_relative_to(root) else PurePosixPath()
    groups = [inside, *inside.parents] if ".." not in inside.parts else [PurePosixPath()]
    return [text for group in groups if (text := _read(str(mounted / group / name)).strip())]


def _control_mount(controller: str) -> tuple[PurePosixPath, PurePosixPath]:
    """Which group is the outermost that is mounted, and where."""
    for line in _read("/proc/self/mountinfo").splitlines():
        place, _, kind = line.partition(" - ")
        fields, kinds = place.split(), kind.split()
        if kinds[:1] != ["cgroup" if controller else "cgroup2"] or len(fields) < 5:
            continue
        if not controller or controller in kinds[-1].split(","):
            return PurePosixPath(fields[3]), PurePosixPath(fields[4])
    return PurePosixPath("/"), PurePosixPath(_CGROUPS) / controller


def memory_bytes() -> tuple[int, int]:
    """Available and total memory; 0 for what the system does not report."""
    info = _read("/proc/meminfo")
    if info:
        return _kibibytes(info, "MemAvailable"), _kibibytes(info, "MemTotal")
    return _windows_memory() or _macos_memory()


def memory_limit() -> int:
    """Bytes of memory that this process may use: of the machine, or of its container."""
    try:
        limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        limit = memory_bytes()[1] or ASSUMED_MEMORY_BYTES
    for text in (
        *_control_files("memory.max", ""),
        *_control_files("memory.limit_in_bytes", "memory"),
    ):
        if text.isdigit():
            limit = min(limit, int(text))
    return limit


def _macos_flags() -> list[str]:
    """Flags as ``sysctl`` lists them, under the names of /proc/cpuinfo where these differ."""
    names = ("machdep.cpu.features", "machdep.cpu.leaf7_features")
    intel = _command_output("sysctl", "-n", *names).lower().split()
    if intel:
        return intel
    listed = re.findall(
        r"^hw\.optional\.\S*?(\w+): 1$", _command_output("sysctl", "hw.optional"), re.M
    )
    linux = {"advsimd": "asimd", "dotprod": "asimddp"}
    arm = (name.removeprefix("FEAT_").lower() for name in listed)
    return [linux.get(name, name) for name in arm]


def _macos_memory() -> tuple[int, int]:
    total = _command_output("sysctl", "-n", "hw.memsize").strip()
    pages = _command_output("vm_stat")
    size = re.search(r"page size of (\d+) bytes", pages)
    counts = re.findall(r"^Pages (?:free|inactive|speculative):\s+(\d+)\.", pages, re.M)
    available = sum(map(int, counts)) * int(size[1]) if size else 0
    return available, int(total) if total.isdigit() else 0


class _MemoryStatus(ctypes.Structure):
    """``MEMORYSTATUSEX`` of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total_physical", ctypes.c_uint64),
        ("available_physical", ctypes.c_uint64),
        ("others", ctypes.c_uint64 * 5),
    )


def _windows_memory() -> tuple[int, int] | None:
    libraries = getattr(ctypes, "windll", None)
    if libraries is None:
        return None
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    if not libraries.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return 0, 0
    return int(status.available_physical), int(status.total_physical)


@cache
def _command_output(*command: str) -> str:
    """What a macOS command prints; empty on other systems and if it fails."""
    if platform.system() != "Darwin":
        return ""
    try:
        result = subprocess.run(  # noqa: S603 -- fixed names of the system's own commands
            command, capture_output=True, text=True, timeout=_SYSCTL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout


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
