"""GPUs as the system shows them, from files and a tool that are put there."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from quest22.system import graphics
from quest22.system.graphics import Gpu, find_gpus

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="files of Linux")


@pytest.fixture(autouse=True)
def no_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "no programs"))


def write(root: Path, path: str, content: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


def add_card(root: Path, number: int, vendor: str, kind: str = "0x030000") -> None:
    write(root, f"sys/bus/pci/devices/0000:0{number}:00.0/vendor", f"{vendor}\n")
    write(root, f"sys/bus/pci/devices/0000:0{number}:00.0/class", f"{kind}\n")


def test_a_machine_without_one(tmp_path: Path) -> None:
    assert find_gpus(tmp_path) == []
    add_card(tmp_path, 1, "0x8086")
    add_card(tmp_path, 2, "0x10de", "0x040300")  # its sound
    assert find_gpus(tmp_path) == []


def test_cards_without_a_driver(tmp_path: Path) -> None:
    add_card(tmp_path, 1, "0x10de")
    add_card(tmp_path, 2, "0x10de", "0x030200")
    add_card(tmp_path, 3, "0x1002", "0x120000")
    assert find_gpus(tmp_path) == [Gpu("NVIDIA", "a GPU")] * 2 + [Gpu("AMD", "a GPU")]


def test_drivers_are_told(tmp_path: Path) -> None:
    add_card(tmp_path, 1, "0x10de")
    add_card(tmp_path, 2, "0x1002")
    version = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23 2025\n"
    write(tmp_path, "proc/driver/nvidia/version", version)
    card = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 24\n"
    write(tmp_path, "proc/driver/nvidia/gpus/0000:01:00.0/information", card)
    write(tmp_path, "sys/class/kfd/kfd/topology/x", "")
    write(tmp_path, "sys/module/amdgpu/version", "6.16.6\n")
    assert find_gpus(tmp_path) == [
        Gpu("NVIDIA", "NVIDIA H100 80GB HBM3", "580.95.05"),
        Gpu("AMD", "a GPU", "6.16.6"),
    ]


TOOL = f"""#!{sys.executable}
import sys
print({{said!r}})
sys.exit({{code}})
"""


@pytest.mark.parametrize(
    ("said", "code", "found"),
    [
        (
            "NVIDIA A10G, 550.1, 23028, 22500\nTesla T4, 550.1, 15360, [N/A]",
            0,
            [
                Gpu("NVIDIA", "NVIDIA A10G", "550.1", 23028 << 20, 22500 << 20),
                Gpu("NVIDIA", "Tesla T4", "550.1", 15360 << 20, None),
            ],
        ),
        ("NVIDIA-SMI has failed because it couldn't communicate with the driver", 9, []),
        ("No devices were found", 0, []),
    ],
)
def test_nvidias_tool_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: int, found: list[Gpu]
) -> None:
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(TOOL.format(said=said, code=code))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent))
    assert find_gpus(tmp_path) == found


def test_a_tool_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent))
    monkeypatch.setattr(graphics, "_TIMEOUT_S", 0.2)
    assert find_gpus(tmp_path) == []


def test_an_apple_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("26.1", ("", "", ""), "arm64"))
    assert find_gpus() == [Gpu("Apple", "Apple silicon", "26.1")]
