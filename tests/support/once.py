"""What is expensive to make, once for all processes of pytest-xdist."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from quest22.system.locks import wait_for_lock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[], Any]) -> Any:
    """What ``make`` gives, as JSON holds it: made by the process that asks first.

    The others wait, and read it. A test process's own folder lies in that of the whole run.
    """
    home = factory.getbasetemp()
    home = home.parent if "PYTEST_XDIST_WORKER" in os.environ else home
    kept = home / f"{name}.json"
    with kept.with_suffix(".lock").open("wb") as lock:
        wait_for_lock(lock)
        if not kept.exists():
            kept.write_text(json.dumps(make()), encoding="utf-8")
        return json.loads(kept.read_text(encoding="utf-8"))
