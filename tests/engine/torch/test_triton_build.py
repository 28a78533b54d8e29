"""What Triton needs to compile kernels."""

from __future__ import annotations

import os
import sysconfig
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from quest22.engine.torch import triton_build
from quest22.engine.torch.triton_build import triton_lacks


@pytest.mark.skipif(os.name == "nt", reason="there Triton brings its compiler")
@pytest.mark.parametrize(
    ("triton", "compiler", "headers", "lacks"),
    [
        (True, "gcc", True, ""),
        (True, "clang", True, ""),
        (True, None, True, "a C compiler (gcc or clang)"),
        (True, "gcc", False, "Python's C headers (python3-dev)"),
        (False, "gcc", True, "Triton"),
    ],
)
def test_what_is_missing(
    triton: bool,
    compiler: str | None,
    headers: bool,
    lacks: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = ModuleSpec("triton", None) if triton else None
    monkeypatch.setattr(triton_build, "find_spec", lambda _: spec)
    monkeypatch.setattr(triton_build.shutil, "which", lambda name: name == compiler)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    monkeypatch.delenv("CC", raising=False)
    if headers:
        (tmp_path / "Python.h").touch()
    assert triton_lacks() == lacks


def test_a_compiler_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_build, "find_spec", lambda _: ModuleSpec("triton", None))
    monkeypatch.setattr(triton_build.shutil, "which", lambda _: None)
    monkeypatch.setenv("CC", "/opt/cc")
    assert not triton_lacks().startswith("a C compiler")
