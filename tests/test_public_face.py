"""What a user imports, and what importing it must not drag in."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

import quest22

HEAVY = (
    "openvino",
    "tokenizers",
    "datasets",
    "pyarrow",
    "pandas",
    "av",
    "torch",
    "transformers",
    "soundfile",
)


def test_all_names_what_is_public_and_nothing_else() -> None:
    public = {
        name
        for name, value in vars(quest22).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and name != "annotations"
    }
    assert public == set(quest22.__all__)


@pytest.mark.parametrize("module", ["quest22", "quest22.cli.main"])
def test_import_loads_no_heavy_package(module: str) -> None:
    code = f"import sys, {module}; print(' '.join(sorted(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {name for name in HEAVY if name in loaded}
    assert not [name for name in loaded if name.startswith(("quest22.cluster", "s3fs", "ray."))]
