from __future__ import annotations

import sys
from pathlib import Path

import pytest

from quest22.bench.worker import peak_bytes


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system has no /proc")
def test_the_peak_is_that_of_this_process():
    before = peak_bytes()
    held = bytearray(before + (64 << 20) - _resident_bytes())
    assert peak_bytes() >= before + (32 << 20)
    assert len(held) > 0


def _resident_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def test_replies_are_not_mixed_with_what_libraries_print(tmp_path):
    import json
    import subprocess

    code = (
        "from quest22.bench.worker import RunOutput, serve\n"
        "def load(workload):\n"
        "    print('loading')\n"
        "    return lambda: (print('running'), RunOutput(3, 1))[1], 'about'\n"
        "serve(load)\n"
    )
    workload = '{"model": "m", "samples_file": "s", "lengths": [], "scratch": ".", "urls": []}'
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=f"{workload}\nrun\nend\n",
        capture_output=True,
        text=True,
        check=True,
    )
    about, run, end = (json.loads(line) for line in done.stdout.splitlines())
    assert about == {"about": "about"}
    assert (run["tokens"], run["windows"], run["parts"]) == (3, 1, {})
    assert run["seconds"] >= 0
    assert run["cpu_s"] >= 0
    assert end.keys() == {"peak_bytes"}
    assert done.stderr.split() == ["loading", "running"]
