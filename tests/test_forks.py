"""A forked child says that it cannot use its parent's model, and ends; it may load its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

HEAD = """
import os, sys, threading, multiprocessing, numpy as np, quest22
from quest22.errors import UsageError
sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
whisper = quest22.Transcriber("nano", vad="off")
whisper.transcribe(sound)

def attempt(*_):
    try:
        whisper.transcribe(sound)
    except UsageError as error:
        return str(error)

def in_child(work):
    child = os.fork()
    if child == 0:
        work()
        sys.exit(0)  # which deletes all objects
    assert os.waitpid(child, 0)[1] == 0
"""

SCRIPTS = {
    "used": "in_child(lambda: print(attempt(), flush=True)); assert attempt() is None",
    "not used": 'in_child(lambda: None); print("load it in the child")',
    "closed": "in_child(lambda: (whisper.close(), print(attempt(), flush=True)))",
    "a run goes on in the child": """
results = whisper.transcribe_many([sound] * 6)
next(results)
def rest():
    try:
        list(results)
    except UsageError as error:
        print(error, flush=True)
in_child(rest)
assert len(list(results)) == 5
""",
    "forked while it works": """
worker = threading.Thread(target=lambda: [whisper.transcribe(sound) for _ in range(4)])
worker.start()
in_child(lambda: print(attempt(), flush=True))
worker.join()
""",
    "a pool": """
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(*pool.map(attempt, [1, 2]), sep="\\n")
""",
    "a live session": """
session = whisper.live(language="en")
session.feed(sound)
def use():
    for attempt in (lambda: session.feed(sound), session.close, session.result, whisper.live):
        try:
            attempt()
        except UsageError as error:
            print(error, flush=True)
in_child(use)
session.end()
assert session.result(60).key == "live 1"
""",
    "a live session that is not used": """
session = whisper.live(language="en")
session.feed(sound)
in_child(lambda: None)
print("load it in the child")
""",
    "its own": """
def own():
    with quest22.Transcriber("nano", vad="off") as another:
        another.transcribe(sound)
    print("load it in the child", flush=True)
in_child(own)
""",
}


@pytest.mark.parametrize("native", ["on", "off"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_forked_child(script: str, native: str, tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(HEAD + SCRIPTS[script])
    done = subprocess.run(
        [sys.executable, str(path)],
        env={**os.environ, "QUEST22_NATIVE": native},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines
    assert all("load it in the child" in line for line in lines)
