"""The server from outside."""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.support.running_server import RunningServer


def test_it_answers(server: RunningServer) -> None:
    with urlopen(f"{server.url}/health") as answer:
        assert json.load(answer) == {"status": "ok"}


def test_models_and_their_aliases(server: RunningServer) -> None:
    with urlopen(f"{server.url}/v1/models") as answer:
        names = [each["id"] for each in json.load(answer)["data"]]
    assert names[0] == "nano"
    assert "whisper-1" in names


def test_a_model_that_is_not_served(server: RunningServer) -> None:
    with pytest.raises(HTTPError) as found:
        urlopen(f"{server.url}/v1/models/large")
    assert found.value.code == 404
