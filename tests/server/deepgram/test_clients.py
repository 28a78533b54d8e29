"""Deepgram's clients as they are, each in an environment of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from quest22.records import SAMPLE_RATE_HZ, Samples
from tests.server.deepgram.listening import pcm, speech
from tests.support.client_environments import node_with_clients, python_with, run_client
from tests.support.recordings import NANO_IS_HERE
from tests.support.running_server import RunningServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NANO_IS_HERE, reason="needs the bundled model"),
]

HERE = Path(__file__).parent
RIGHT = 0.8


@pytest.fixture(scope="module")
def sound() -> Samples:
    return speech(seconds_between=1.5)


@pytest.fixture(scope="module")
def files(sound: Samples, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Raw samples, and a container."""
    folder = tmp_path_factory.mktemp("sound")
    raw, container = folder / "talk.raw", folder / "talk.flac"
    raw.write_bytes(pcm(sound))
    soundfile.write(container, sound, SAMPLE_RATE_HZ)
    return [raw, container]


@pytest.fixture(scope="module")
def expected(server: RunningServer, files: list[Path]) -> set[str]:
    """The words that were said, as they are heard at once."""
    import httpx2

    answer = httpx2.post(
        f"{server.url}/v1/listen", content=files[1].read_bytes(), timeout=300
    ).json()
    words = answer["results"]["channels"][0]["alternatives"][0]["words"]
    assert len(words) >= 6
    return {word["word"] for word in words}


def check(text: list[str], expected: set[str]) -> None:
    heard = {word.lower().strip(".,?!") for word in text}
    assert len(heard & expected) >= RIGHT * len(expected), (text, expected)


def used(python: Path, script: str, server: RunningServer, files: list[Path]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run_client(python, HERE / script, server.url, *files))
    return found


def test_the_sdk_for_python(
    server: RunningServer, files: list[Path], sound: Samples, expected: set[str]
) -> None:
    found = used(python_with("deepgram"), "use_sdk.py", server, files)
    seconds = pytest.approx(len(sound) / SAMPLE_RATE_HZ, abs=0.01)
    for name in ("live", "live_asynchronously"):
        live = found[name]
        check(live["text"], expected)
        assert live["classes"] == [
            "ListenV1Metadata",
            "ListenV1Results",
            "ListenV1SpeechStarted",
            "ListenV1UtteranceEnd",
        ]
        assert live["from_finalize"] == 1
        assert live["duration"] == seconds
    for name in ("recording", "recording_asynchronously"):
        recording = found[name]
        assert recording["class"] == "ListenV1Response"
        check(recording["text"], expected)
        assert recording["words"] == len(recording["text"])
        assert recording["utterances"] >= 2
        assert recording["paragraphs"] >= 1
        assert recording["duration"] == seconds
    assert found["refused"] == [400, "Bad Request", 400]


def test_the_sdk_for_node(server: RunningServer, files: list[Path], expected: set[str]) -> None:
    node, folder = node_with_clients()
    script = folder / "use_sdk.mjs"
    script.write_text((HERE / "use_sdk.mjs").read_text(encoding="utf-8"), encoding="utf-8")
    found = json.loads(run_client(node, script, server.url, *files, cwd=folder))
    check(found["live"]["text"], expected)
    assert found["live"]["types"] == ["Metadata", "Results", "SpeechStarted"]
    assert found["live"]["code"] == 1000
    check(found["recording"]["text"], expected)
    assert found["recording"]["words"] == len(found["recording"]["text"])
    assert found["recording"]["utterances"] >= 2
    assert found["refused"] == 400


def test_livekit(server: RunningServer, files: list[Path], expected: set[str]) -> None:
    found = used(python_with("livekit"), "use_livekit.py", server, files)
    check(found["live"]["text"], expected)
    check(found["recording"], expected)
    kinds = found["live"]["types"]
    assert kinds.count("start_of_speech") >= 2
    assert kinds.count("end_of_speech") == kinds.count("start_of_speech")
    assert "interim_transcript" in kinds


def test_pipecat(server: RunningServer, files: list[Path], expected: set[str]) -> None:
    found = used(python_with("pipecat"), "use_pipecat.py", server, files)
    check(found["text"], expected)
    assert found["interim"] > 0
    assert found["errors"] == 0
