"""Realtime transcription with clients as they are: they speak, and what they heard is right."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.balancer import balancer
from tests.support.certificates import make_certificate
from tests.support.client_environments import node_with_clients, python_with
from tests.support.recordings import NANO_IS_HERE
from tests.support.running_server import RunningServer, running_server
from tests.support.talks import Talk, share_right, talk

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NANO_IS_HERE, reason="nano is not built"),
]

HERE = Path(__file__).parent
TURNS = 3
RIGHT = 0.8
COME_BACK_S = 60


class Speaker:
    """A client's program: it speaks what it is told to, and tells what it has heard."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def speak(self, file: Path, turns: int = TURNS) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{file} {turns}\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline() or "{}")
        return found


@contextmanager
def speaker(*command: str | Path, cwd: Path | None = None, **environment: str) -> Iterator[Speaker]:
    """Run a client's program; it ends when its input does."""
    with subprocess.Popen(
        [str(each) for each in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Speaker(process)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(60) == 0
        finally:
            process.kill()


@pytest.fixture(scope="module")
def said() -> Talk:
    return talk(TURNS)


@pytest.fixture(scope="module")
def file(said: Talk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talk") / "talk.raw"
    path.write_bytes(said.pcm())
    return path


def check(found: dict[str, Any], said: Talk) -> None:
    assert share_right(" ".join(found["texts"]), said) >= RIGHT, found
    if "deltas" in found:
        assert found["deltas"] == "".join(found["texts"])


def test_openai_for_python(server: RunningServer, file: Path, said: Talk) -> None:
    with speaker(python_with("openai"), HERE / "speak_openai.py", server.url, "ga") as client:
        found = client.speak(file)
    check(found, said)
    assert {
        "SessionUpdatedEvent",
        "InputAudioBufferSpeechStartedEvent",
        "InputAudioBufferSpeechStoppedEvent",
        "InputAudioBufferCommittedEvent",
        "ConversationItemAdded",
        "ConversationItemDone",
        "ConversationItemInputAudioTranscriptionDeltaEvent",
        "ConversationItemInputAudioTranscriptionSegment",
        "ConversationItemInputAudioTranscriptionCompletedEvent",
    } <= set(found["classes"])


def test_openai_for_python_ends_turns_itself(server: RunningServer, file: Path, said: Talk) -> None:
    python = python_with("openai")
    with speaker(python, HERE / "speak_openai.py", server.url, "manual") as client:
        for _ in range(2):
            check(client.speak(file, 1), said)


def test_openai_for_python_in_the_beta(server: RunningServer, file: Path, said: Talk) -> None:
    python = python_with("openai")
    with speaker(python, HERE / "speak_openai.py", server.url, "beta") as client:
        found = client.speak(file)
    check(found, said)
    assert "conversation.item.created" in found["types"]


def test_openai_for_node(file: Path, said: Talk, tmp_path: Path) -> None:
    node, folder = node_with_clients()
    certificate = make_certificate(tmp_path, "localhost")  # it speaks through TLS alone
    script = folder / "speak_openai.mjs"
    script.write_text((HERE / "speak_openai.mjs").read_text(encoding="utf-8"), encoding="utf-8")
    with running_server(tls_cert=certificate, preload=True) as server:
        url = f"https://localhost:{server.port}"
        trusted = {"NODE_EXTRA_CA_CERTS": str(certificate)}
        with speaker(node, script, url, cwd=folder, **trusted) as client:
            check(client.speak(file), said)


@pytest.mark.parametrize("model", ["gpt-4o-transcribe", "whisper-1"])
def test_livekit(server: RunningServer, file: Path, said: Talk, model: str) -> None:
    with speaker(python_with("livekit"), HERE / "speak_livekit.py", server.url, model) as client:
        found = client.speak(file)
    check(found, said)
    assert set(found["languages"]) == {"en"}
    for kind in ("start_of_speech", "end_of_speech"):
        assert found["types"].count(kind) >= TURNS - 1


@pytest.mark.parametrize("turns", ["server", "commit"])
def test_pipecat(server: RunningServer, file: Path, said: Talk, turns: str) -> None:
    with speaker(python_with("pipecat"), HERE / "speak_pipecat.py", server.url, turns) as client:
        check(client.speak(file, TURNS if turns == "server" else 1), said)


RESTARTED = [
    ("openai", "speak_openai.py", "ga"),
    ("livekit", "speak_livekit.py", "gpt-4o-transcribe"),
    ("pipecat", "speak_pipecat.py", "server"),
]


@pytest.mark.parametrize(("package", "script", "mode"), RESTARTED)
def test_clients_go_on_with_another_server_when_theirs_ends(
    package: str, script: str, mode: str, file: Path, said: Talk
) -> None:
    python, running = python_with(package), running_server(preload=True)
    first = running.__enter__()
    with running_server(preload=True) as second, balancer(first.port) as between:
        url = f"http://127.0.0.1:{between.port}"
        with speaker(python, HERE / script, url, mode) as client:
            check(client.speak(file), said)
            between.target = second.port
            running.__exit__(None, None, None)
            deadline = time.monotonic() + COME_BACK_S
            while not second.service.gate.count("live"):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            check(client.speak(file), said)
