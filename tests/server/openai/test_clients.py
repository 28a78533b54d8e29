"""OpenAI's own clients, and curl, as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from quest22.server.access.gate import Gate
from quest22.server.refusal import Reason, Refusal
from tests.support.client_environments import node_with_clients, python_with, run_client
from tests.support.forms import sound_file, spoken
from tests.support.recordings import NANO_IS_HERE
from tests.support.running_server import RunningServer, running_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NANO_IS_HERE, reason="nano is not built"),
]

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("talk") / "talk.wav"
    file.write_bytes(sound_file(spoken("en", 3)))
    return file


def check_formats(found: dict[str, Any], text: str) -> None:
    assert found["json"]["text"] == text
    assert found["text"].strip() == text
    assert found["srt"].startswith("1\n00:00:0")
    assert found["vtt"].startswith("WEBVTT")
    assert found["verbose_json"]["language"] == "english"
    assert found["verbose_json"]["segments"][0]["tokens"]
    assert found["diarized_json"]["segments"][0]["speaker"] == "A"
    assert found["logprobs"] > 5


def test_openai_for_python(server: RunningServer, talk: Path) -> None:
    python = python_with("openai")
    found = json.loads(run_client(python, HERE / "openai_client.py", server.url, talk))
    text = found["path"]
    assert len(text.split()) > 5
    for name in ("bytes", "tuple", "no name", "file"):
        assert found[name] == text
    assert found["models"][0] == "nano"
    assert found["model"] == "whisper-1"
    check_formats(found, text)
    assert "".join(found["words"]) == text.replace(" ", "")
    assert found["segments"]
    assert found["languages"] == ["en"]
    assert found["translation"]
    for form in ("json", "text", "diarized_json"):
        stream = found[f"stream {form}"]
        assert stream["deltas"] == stream["done"]
        assert set(stream["segments"]) == ({"A"} if form == "diarized_json" else set())
    assert found["stream json"]["done"] == text
    assert found["request id"].startswith("req_")
    assert found["bad"][0] == "file"
    assert "HTML" in found["bad"][1]
    assert found["bad"][2].startswith("req_")
    assert found["unknown"] == ["model_not_found", "invalid_request_error"]
    assert set(found["async"]) == {text}


def test_openai_for_node(server: RunningServer, talk: Path) -> None:
    node, folder = node_with_clients()
    script = folder / "openai_client.mjs"
    shutil.copyfile(HERE / script.name, script)
    found = json.loads(run_client(node, script, server.url, talk))
    text = found["stream_file"]
    assert len(text.split()) > 5
    assert found["bytes"] == text
    assert found["models"][0] == "nano"
    check_formats(found, text)
    assert "".join(found["words"]) == text.replace(" ", "")
    assert found["translation"]
    told = [each["delta"] for each in found["events"] if each["type"].endswith("delta")]
    assert "".join(told) == found["events"][-1]["text"] == text
    assert found["unknown"] == [404, "model_not_found", True]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(server: RunningServer, talk: Path) -> None:
    url = f"{server.url}/v1/audio/transcriptions"
    first = run_client("curl", "-sS", url, "-F", f"file=@{talk}", "-F", "model=whisper-1")
    last = run_client("curl", "-sS", url, "-F", "model=whisper-1", "-F", f"file=@{talk}")
    assert json.loads(first)["text"] == json.loads(last)["text"]
    stream = ("-F", "stream=true", "-F", f"file=@{talk}")
    events = run_client("curl", "-sSN", url, "-F", "model=whisper-1", *stream)
    assert '"type": "transcript.text.done"' in events.splitlines()[-2]
    chunked = ("-H", "Transfer-Encoding: chunked")
    again = run_client("curl", "-sS", url, *chunked, "-F", "model=nano", "-F", f"file=@{talk}")
    assert json.loads(again)["text"] == json.loads(last)["text"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_reads_why_its_large_file_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.wav"
    large.write_bytes(bytes(8_000_000))
    with running_server(max_upload_mb=1) as server:
        url = f"{server.url}/v1/audio/transcriptions"
        for expects in ("Expect: 100-continue", "Expect:"):
            answer = run_client("curl", "-sS", url, "-H", expects, "-F", f"file=@{large}")
            assert json.loads(answer)["error"]["code"] == "file_too_large"


RETRYING = """
import json, sys
from openai import OpenAI
from pathlib import Path
client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="none")
print(client.audio.transcriptions.create(file=Path(sys.argv[2]), model="whisper-1").text)
"""


@pytest.mark.parametrize("reason", ["overloaded", "rate_limited"])
def test_the_client_comes_again_when_the_server_is_full(
    talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    python = python_with("openai")
    script = tmp_path / "retrying.py"
    script.write_text(RETRYING, encoding="utf-8")
    refused: list[str] = []
    admit = Gate.admit

    def full_at_first(*args: Any, **named: Any) -> Any:
        if not refused:
            refused.append(reason)
            raise Refusal(reason, "the server is full", retry_after_s=1.0)
        return admit(*args, **named)

    monkeypatch.setattr(Gate, "admit", full_at_first)
    with running_server() as server:
        text = run_client(python, script, server.url, talk)
    assert refused == [reason]
    assert len(text.split()) > 5
