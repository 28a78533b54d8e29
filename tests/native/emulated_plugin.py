"""A pytest plugin: tests get the libraries of ``$QUEST22_TEST_EMULATED``, on any processor.

Loaded before any test module, so that all of them see it. See ``test_emulated.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quest22.native import library
from quest22.system import machine

SHAPE = "heads of 24"
"""The one model that is tested: the emulated code takes about twenty times as long."""

machine.processor_flags = lambda: sorted({*library.NEEDED_FLAGS["avx512_bf16"], "avx_vnni"})
library.processor_flags = machine.processor_flags
library.FOLDER = Path(os.environ["QUEST22_TEST_EMULATED"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if _parameters(item).get("model", SHAPE) == SHAPE]


def _parameters(item: pytest.Item) -> dict[str, object]:
    call = getattr(item, "callspec", None)
    return call.params if call else {}
