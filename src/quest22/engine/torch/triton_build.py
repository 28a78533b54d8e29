"""Whether Triton can compile kernels here: it takes a C compiler and Python's headers."""

from __future__ import annotations

import os
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from quest22.env import c_compiler

COMPILERS = ("gcc", "clang")


def triton_lacks() -> str:
    """What is missing, such as ``a C compiler``; empty if nothing is.

    Triton's build for Windows brings a compiler and headers.
    """
    if find_spec("triton") is None:
        return "Triton"
    if os.name == "nt":
        return ""
    if not (c_compiler() or any(map(shutil.which, COMPILERS))):
        return f"a C compiler ({' or '.join(COMPILERS)})"
    headers = sysconfig.get_paths()["include"]
    return "" if Path(headers, "Python.h").is_file() else "Python's C headers (python3-dev)"
