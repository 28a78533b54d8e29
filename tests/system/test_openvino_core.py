"""Signals are handled whatever was loaded and deleted; an ``ov.Core`` too many breaks that."""

from __future__ import annotations

import subprocess
import sys
import threading

import openvino as ov

from quest22.system.openvino_core import openvino_core

INTERRUPTED = """
import os, signal
from quest22.audio.vad.silero.model import SileroModel
first = SileroModel()
second = SileroModel()
del first
del second
signal.signal(signal.SIGINT, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGINT)
"""


def test_a_signal_is_handled_after_models_are_gone() -> None:
    command = [sys.executable, "-c", INTERRUPTED]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (run.returncode, run.stdout) == (0, "handled\n"), run.stderr


def test_all_threads_have_the_same_core() -> None:
    found: list[ov.Core] = []
    threads = [threading.Thread(target=lambda: found.append(openvino_core())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {id(core) for core in found} == {id(openvino_core())}
