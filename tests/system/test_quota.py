"""A real control group with a quota, and real affinity: what a process in it takes for its cores.

Needs a machine of two cores or more; groups are made as root, where the system lets one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

PERIOD_US = 100_000
SEVERAL = len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else False
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SEVERAL, reason="needs affinity, and two cores"),
]

ASK = """
import json
from quest22.audio.log_mel import GraphMel, MelTables, hann_window, mel_filters
from quest22.cli.doctor_checks import check_processor
from quest22.engine.openvino.compiler import Compiler
from quest22.system.machine import usable_cores

tables = MelTables(hann_window(), mel_filters(80))
mel = GraphMel(tables, None)._request.get_compiled_model()
threads = Compiler.open("cpu", "float32", None).properties().get("INFERENCE_NUM_THREADS")
found = usable_cores(), mel.get_property("INFERENCE_NUM_THREADS"), threads, check_processor().found
print(json.dumps(found))
"""


def asked(joined: Path | None = None, **options: object) -> tuple[int, int, int | None, str]:
    """Cores, OpenVINO's threads, those that the engine asks it for, and doctor's line."""
    enter = "" if joined is None else f"open({str(joined / 'cgroup.procs')!r}, 'w').write('0')\n"
    done = subprocess.run(
        [sys.executable, "-c", enter + ASK],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        **options,  # type: ignore[call-overload]
    )
    return tuple(json.loads(done.stdout))  # type: ignore[return-value]


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of this test's own, and one within it."""
    first = Path("/sys/fs/cgroup/cpu")
    root = first if first.is_dir() else Path("/sys/fs/cgroup")
    outer = root / f"quest22-{os.getpid()}"
    try:
        outer.mkdir()
        limit(outer, None)
    except OSError as exc:
        with suppress(OSError):
            outer.rmdir()
        pytest.skip(f"no control group with a quota can be made: {exc}")
    inner = outer / "inner"
    try:
        inner.mkdir()
        yield inner
    finally:
        inner.rmdir()
        outer.rmdir()


def limit(group: Path, cores: float | None) -> None:
    """Set a group's quota, or none."""
    quota = None if cores is None else int(cores * PERIOD_US)
    if (first := group / "cpu.cfs_quota_us").exists():
        first.write_text(str(quota or -1), encoding="utf-8")
    else:
        (group / "cpu.max").write_text(f"{quota or 'max'} {PERIOD_US}", encoding="utf-8")


@pytest.mark.parametrize(("outer", "inner"), [(1, None), (1.5, 0.5)])
def test_the_tightest_quota_counts(group: Path, outer: float | None, inner: float | None) -> None:
    limit(group.parent, outer)
    limit(group, inner)
    cores, mel, engine, told = asked(group)
    assert (cores, mel, engine) == (1, 1, 1)
    assert "1 core, all that a quota leaves" in told


def test_a_group_without_a_quota(group: Path) -> None:
    cores, mel, engine, told = asked(group)
    assert cores == len(os.sched_getaffinity(0))
    assert mel >= 1
    assert engine is None  # OpenVINO chooses
    assert "quota" not in told


def test_affinity() -> None:
    one = min(os.sched_getaffinity(0))
    cores, mel, _, told = asked(preexec_fn=lambda: os.sched_setaffinity(0, {one}))
    assert (cores, mel) == (1, 1)
    assert " · 1 core · " in told
