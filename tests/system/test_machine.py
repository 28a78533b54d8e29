from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from quest22.system import machine

GIB = 1 << 30

LINUX = {
    "/proc/cpuinfo": "processor : 0\nmodel name : Fast CPU @ 3 GHz\nflags : fpu avx2 avx512f\n",
    "/proc/meminfo": "MemTotal:  8388608 kB\nMemAvailable:  4194304 kB\n",
}
INTEL_MAC = {
    ("sysctl", "-n", "machdep.cpu.brand_string"): "Intel(R) Core(TM) i9\n",
    (
        "sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features",
    ): "FPU SSE4.2 FMA\nBMI2 AVX2\n",
    ("sysctl", "-n", "hw.memsize"): f"{16 * GIB}\n",
    (
        "vm_stat",
    ): "Mach Virtual Memory Statistics: (page size of 4096 bytes)\n"
    "Pages free:         1000.\nPages active:   5.\nPages inactive:  200.\nPages speculative: 3.\n",
}  # fmt: skip
APPLE_MAC = {
    ("sysctl", "-n", "machdep.cpu.brand_string"): "Apple M3\n",
    (
        "sysctl", "hw.optional",
    ): "hw.optional.arm.FEAT_BF16: 1\nhw.optional.arm.FEAT_DotProd: 1\n"
    "hw.optional.arm.FEAT_SME: 0\nhw.optional.AdvSIMD: 1\n",
}  # fmt: skip


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine whose files and commands print what is given, and nothing else."""

    def become(files: dict[str, str], commands: dict[tuple[str, ...], str]) -> None:
        monkeypatch.setattr(machine, "_read", lambda path: files.get(path, ""))
        monkeypatch.setattr(machine, "_command_output", lambda *command: commands.get(command, ""))

    return become


def test_linux(system: Any) -> None:
    system(LINUX, {})
    assert machine.processor_name() == "Fast CPU @ 3 GHz"
    assert machine.processor_flags() == ["fpu", "avx2", "avx512f"]
    assert machine.fast_features() == ["AVX2", "AVX-512"]
    assert machine.memory_bytes() == (4 * GIB, 8 * GIB)


def test_a_mac_with_an_intel_processor(system: Any) -> None:
    system({}, INTEL_MAC)
    assert machine.processor_name() == "Intel(R) Core(TM) i9"
    assert {"fma", "bmi2", "avx2"} <= set(machine.processor_flags())
    assert machine.memory_bytes() == (1203 * 4096, 16 * GIB)


def test_a_mac_with_an_apple_processor(system: Any) -> None:
    system({}, APPLE_MAC)
    assert machine.processor_name() == "Apple M3"
    assert machine.fast_features() == ["NEON", "dotprod", "bf16"]


class Kernel32:
    def __init__(self, *, works: bool) -> None:
        self.works = works

    def GlobalMemoryStatusEx(self, reference: Any) -> int:
        status = reference._obj
        assert status.length == ctypes.sizeof(status) == 64
        status.total_physical, status.available_physical = 32 * GIB, 5 * GIB
        return int(self.works)


@pytest.mark.parametrize(("works", "memory"), [(True, (5 * GIB, 32 * GIB)), (False, (0, 0))])
def test_windows(
    system: Any, monkeypatch: pytest.MonkeyPatch, works: bool, memory: tuple[int, int]
) -> None:
    system({}, {})
    windll = SimpleNamespace(kernel32=Kernel32(works=works))
    monkeypatch.setattr(ctypes, "windll", windll, raising=False)
    assert machine.memory_bytes() == memory
    assert machine.processor_flags() == []


def test_a_system_that_reports_nothing(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    system({}, {})
    monkeypatch.delattr(machine.os, "sysconf")
    monkeypatch.delattr(machine.os, "sched_getaffinity", raising=False)
    assert machine.processor_name()
    assert machine.fast_features() == []
    assert machine.memory_bytes() == (0, 0)
    assert machine.memory_limit() == machine.ASSUMED_MEMORY_BYTES
    assert machine.usable_cores() >= 1


def test_this_machine_has_memory() -> None:
    assert machine.memory_limit() > GIB // 4


GROUPS = "/sys/fs/cgroup"
SECOND = "0::/user/run\n"
MOUNTED = (
    "23 1 0:1 / / rw - ext4 /dev/vda rw\n24 23 0:2 / /groups/pids rw - cgroup cgroup rw,pids\n"
    "25 23 0:3 {} {} rw,relatime shared:9 - {} cgroup rw,{}\n"
)
FIRST = "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/\n"


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({f"{GROUPS}/memory.max": "1048576\n"}, 1 << 20),
        ({f"{GROUPS}/memory.max": "max\n"}, None),
        ({"/proc/self/cgroup": SECOND, f"{GROUPS}/user/run/memory.max": "2097152"}, 2 << 20),
        ({"/proc/self/cgroup": SECOND, f"{GROUPS}/user/memory.max": "2097152"}, 2 << 20),
        ({"/proc/self/cgroup": SECOND, f"{GROUPS}/other/memory.max": "2097152"}, None),
        ({"/proc/self/cgroup": "0::/../..\n", f"{GROUPS}/memory.max": "1048576"}, 1 << 20),
        (
            {
                "/proc/self/cgroup": FIRST,
                f"{GROUPS}/memory/docker/x/memory.limit_in_bytes": "4194304",
                f"{GROUPS}/memory/memory.limit_in_bytes": "9223372036854771712",
            },
            4 << 20,
        ),
    ],
)
def test_a_container_may_use_less_memory(system: Any, files: dict[str, str], limit: Any) -> None:
    system({}, {})
    whole = machine.memory_limit()
    system(files, {})
    assert machine.memory_limit() == (limit or whole)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({f"{GROUPS}/cpu.max": "max 100000\n"}, 8),
        ({f"{GROUPS}/cpu.max": "300000 100000\n"}, 3),
        ({f"{GROUPS}/cpu.max": "150000 100000\n"}, 2),
        ({f"{GROUPS}/cpu.max": "5000 100000\n"}, 1),
        ({f"{GROUPS}/cpu.max": "3200000 100000\n"}, 8),
        ({f"{GROUPS}/cpu.max": "garbled\n"}, 8),
        (
            {
                "/proc/self/cgroup": SECOND,
                f"{GROUPS}/user/run/cpu.max": "600000 100000",
                f"{GROUPS}/user/cpu.max": "200000 100000",
            },
            2,
        ),
        (
            {
                "/proc/self/cgroup": FIRST,
                f"{GROUPS}/cpu/docker/x/cpu.cfs_quota_us": "400000",
                f"{GROUPS}/cpu/docker/x/cpu.cfs_period_us": "100000",
            },
            4,
        ),
        (  # mounted elsewhere, and in a container: from its own group on
            {
                "/proc/self/cgroup": "4:cpu,cpuacct:/docker/x/inner\n",
                "/proc/self/mountinfo": MOUNTED.format(
                    "/docker/x", "/groups", "cgroup", "cpuacct,cpu"
                ),
                "/groups/inner/cpu.cfs_quota_us": "300000",
                "/groups/inner/cpu.cfs_period_us": "100000",
                "/groups/cpu.cfs_quota_us": "600000",
                "/groups/cpu.cfs_period_us": "100000",
            },
            3,
        ),
        (
            {
                "/proc/self/cgroup": "0::/run/inner\n",
                "/proc/self/mountinfo": MOUNTED.format("/", "/groups", "cgroup2", "nsdelegate"),
                "/groups/run/inner/cpu.max": "max 100000",
                "/groups/run/cpu.max": "300000 100000",
            },
            3,
        ),
        (  # a group outside of what is mounted
            {
                "/proc/self/cgroup": "0::/../other\n",
                "/proc/self/mountinfo": MOUNTED.format("/", "/groups", "cgroup2", "rw"),
                "/groups/cpu.max": "500000 100000",
            },
            5,
        ),
        (
            {
                "/proc/self/cgroup": FIRST,
                f"{GROUPS}/cpu/docker/x/cpu.cfs_quota_us": "-1",
                f"{GROUPS}/cpu/docker/x/cpu.cfs_period_us": "100000",
            },
            8,
        ),
    ],
)
def test_a_container_may_use_fewer_cores(
    system: Any, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    system(files, {})
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert machine.usable_cores() == cores
    assert machine.quota_cores() == (cores if cores < 8 else None)


def test_commands_of_other_systems_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    machine._command_output.cache_clear()
    monkeypatch.setattr(machine.platform, "system", lambda: "Darwin")
    assert machine._command_output("no-such-command-of-quest22") == ""
    assert machine._command_output("echo", "x") == "x\n"
    machine._command_output.cache_clear()
    monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
    assert machine._command_output("echo", "x") == ""
    machine._command_output.cache_clear()
