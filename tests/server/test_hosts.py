"""The application in another host than ``quest22 serve``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.recordings import NANO_IS_HERE, recordings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals"),
    pytest.mark.skipif(not NANO_IS_HERE, reason="nano is not built"),
]
RECIPE = Path(__file__).parents[2] / "recipes" / "serving" / "asgi.py"


@contextmanager
def uvicorn(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Plain uvicorn with the recipe's application, but for the model; and its port."""
    recipe = RECIPE.read_text(encoding="utf-8").replace('"base"', '"nano"')
    (folder / "asgi.py").write_text(recipe, encoding="utf-8")
    line = [sys.executable, "-m", "uvicorn", "asgi:app", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        line, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stderr is not None
    try:
        ready = next(line for line in process.stderr if "running on" in line)
        yield process, ready.split("127.0.0.1:")[1].split()[0]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_plain_uvicorn_ends_when_who_speaks_has_the_last_words(tmp_path: Path) -> None:
    speech = np.concatenate([*recordings("en", 2), np.zeros(4000, np.float32)])
    with (
        uvicorn(tmp_path) as (process, port),
        connect(f"ws://127.0.0.1:{port}/live?language=en", open_timeout=120) as client,
    ):
        client.send((speech * 32767).astype("<i2").tobytes())
        events = [json.loads(client.recv(timeout=60)) for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        with suppress(ConnectionClosed):
            while True:
                events.append(json.loads(client.recv(timeout=60)))
        assert client.close_code == 1012
        assert process.wait(60) == -signal.SIGTERM
    assert (events[0]["type"], events[-1]["type"]) == ("ready", "end")
    assert any(event["type"] == "final" and event["text"] for event in events)


def test_a_second_signal_goes_to_the_host_at_once(tmp_path: Path) -> None:
    with (
        uvicorn(tmp_path) as (process, port),
        connect(f"ws://127.0.0.1:{port}/live", open_timeout=120) as client,
    ):
        assert json.loads(client.recv(timeout=60))["type"] == "ready"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            process.send_signal(number)
        assert process.wait(60) in (-signal.SIGTERM, -signal.SIGINT, 0)
