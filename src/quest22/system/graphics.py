"""The GPUs of this machine and their drivers, as the system tells them: no library is loaded."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD"}
_DISPLAY_CLASSES = ("0x03", "0x12")
"""PCI classes of displays and of accelerators."""

_ASKED = "name,driver_version,memory.total,memory.free"
_SMI = "nvidia-smi"
_TIMEOUT_S = 5.0
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU. What is not known is empty or None; memory is in bytes."""

    vendor: str
    name: str
    driver: str = ""
    memory_bytes: int | None = None
    free_bytes: int | None = None


def find_gpus(root: Path = Path("/")) -> list[Gpu]:
    """GPUs that PyTorch could use: NVIDIA's, AMD's on Linux, Apple's; with or without a driver.

    ``root`` is where ``/proc`` and ``/sys`` are. Takes milliseconds, with NVIDIA's tool up to 5 s.
    """
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return [Gpu("Apple", "Apple silicon", platform.mac_ver()[0])]
    listed = list(_from_tool())
    vendors = list(_on_bus(root))
    nvidia = listed or [
        Gpu("NVIDIA", name, nvidia_driver(root))
        for name in _named_by_driver(root) or ["a GPU"] * vendors.count("NVIDIA")
    ]
    amd = [Gpu("AMD", "a GPU", _amd_driver(root))] * vendors.count("AMD")
    return nvidia + amd


def nvidia_driver(root: Path = Path("/")) -> str:
    """The version of NVIDIA's kernel driver on Linux; empty without one."""
    for word in _read(root / "proc/driver/nvidia/version").split():
        if word[0].isdigit() and "." in word:
            return word
    return ""


def _from_tool() -> Iterator[Gpu]:
    """What NVIDIA's own tool lists."""
    tool = shutil.which(_SMI)
    if tool is None:
        return
    command = [tool, f"--query-gpu={_ASKED}", "--format=csv,noheader,nounits"]
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(  # noqa: S603 -- the system's own tool
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
        for line in said.stdout.splitlines() if said.returncode == 0 else ():
            values = [value.strip() for value in line.split(",")]
            if len(values) == len(_ASKED.split(",")):
                name, driver, *memory = values
                yield Gpu("NVIDIA", name, driver, *map(_mebibytes, memory))


def _mebibytes(text: str) -> int | None:
    return int(text) * _MIB if text.isdecimal() else None


def _named_by_driver(root: Path) -> list[str]:
    """The models of NVIDIA's GPUs, as the kernel driver names them."""
    cards = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
    lines = (line for card in cards for line in _read(card).splitlines())
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


def _on_bus(root: Path) -> Iterator[str]:
    """The vendor of each GPU on the PCI bus, be there a driver or not."""
    for device in sorted((root / "sys/bus/pci/devices").glob("*")):
        vendor = _VENDORS.get(_read(device / "vendor").strip())
        if vendor and _read(device / "class").startswith(_DISPLAY_CLASSES):
            yield vendor


def _amd_driver(root: Path) -> str:
    """Of AMD's compute driver; ``amdgpu`` where it does not tell its version."""
    if not (root / "sys/class/kfd").exists():
        return ""
    return _read(root / "sys/module/amdgpu/version").strip() or "amdgpu"


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""
