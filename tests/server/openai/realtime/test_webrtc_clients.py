"""WebRTC with OpenAI's own SDK, in an environment of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from quest22.records import SAMPLE_RATE_HZ
from tests.support.client_environments import python_with, run_client
from tests.support.recordings import NANO_IS_HERE, recordings
from tests.support.running_server import running_server

SCRIPT = Path(__file__).with_name("call_openai.py")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NANO_IS_HERE, reason="nano's samples are not here"),
]


def test_openai_makes_a_call(tmp_path: Path) -> None:
    python = python_with("openai")
    pause = np.zeros(2 * SAMPLE_RATE_HZ, np.float32)
    sound = np.concatenate([pause, recordings("en", 1, longest_s=6)[0], pause, pause])
    soundfile.write(tmp_path / "speech.wav", sound, SAMPLE_RATE_HZ)
    with running_server() as server:
        found = json.loads(run_client(python, SCRIPT, server.url, tmp_path / "speech.wav"))
    assert found["session"] == "transcription"
    said = [each["transcript"] for each in found["events"] if each["type"].endswith(".completed")]
    assert len(said[0].split()) >= 3
