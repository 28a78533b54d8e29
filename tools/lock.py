"""Pin what was tested: write constraints.txt from environments of several Python versions.

    python -m tools.lock .venv other-venv …

Every environment given is frozen; packages whose versions differ between Python versions get a
line for each, with an environment marker. The first environment is the fullest (it has the
references and the linters), so what it alone holds needs no marker.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

HEADER = "# Versions that were tested together. Made by: python -m tools.lock\n"
OURS = ("quest22", "-e ", "#")


def frozen(environment: Path) -> tuple[str, dict[str, str]]:
    """The Python version (such as ``3.11``) and the pinned packages of an environment."""
    python = environment / "bin" / "python"
    version = _output(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    lines = _output(python, "-m", "pip", "freeze", "--exclude-editable").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line and not line.startswith(OURS)]
    return version, {name.lower().replace("_", "-"): pin.split("+")[0] for name, pin in pairs}


def merged(environments: list[tuple[str, dict[str, str]]]) -> list[str]:
    """Constraint lines, sorted by package; versions that hold everywhere stand without a marker."""
    by_package: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for python, pins in environments:
        for name, pin in pins.items():
            by_package[name][pin].append(python)
    lines: list[str] = []
    for name in sorted(by_package):
        pins_of_name = by_package[name]
        if len(pins_of_name) == 1:
            lines.append(f"{name}=={next(iter(pins_of_name))}")
            continue
        for pin, pythons in pins_of_name.items():
            marker = " or ".join(f'python_version == "{python}"' for python in pythons)
            lines.append(f"{name}=={pin} ; {marker}")
    return lines


def _output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603


def main() -> None:
    """Write constraints.txt for the environments named on the command line."""
    lines = merged([frozen(Path(each)) for each in sys.argv[1:]])
    Path("constraints.txt").write_text(HEADER + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
