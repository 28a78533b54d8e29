"""The server from outside."""

from __future__ import annotations

import httpx2

from tests.support.running_server import RunningServer


def test_it_answers(server: RunningServer) -> None:
    assert httpx2.get(f"{server.url}/health").json() == {"status": "ok"}


def test_models_and_their_aliases(server: RunningServer) -> None:
    names = [each["id"] for each in httpx2.get(f"{server.url}/v1/models").json()["data"]]
    assert names[0] == "nano"
    assert "whisper-1" in names


def test_a_model_that_is_not_served(server: RunningServer) -> None:
    assert httpx2.get(f"{server.url}/v1/models/large").status_code == 404
