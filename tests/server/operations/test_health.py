"""What watchers ask of a server, and what it tells about itself."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from quest22.server.access.gate import Caller
from quest22.server.access.keys import new_key
from quest22.server.operations.log_output import JsonLines, TextLines
from quest22.server.operations.request_log import requests_log
from tests.support.running_server import RunningServer, running_server
from tests.support.schemas import check_lines


@pytest.fixture(scope="module")
def loaded() -> Iterator[RunningServer]:
    with running_server(preload=True) as running:
        yield running


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the log says of requests, as JSON."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    level = requests_log.level
    requests_log.addHandler(handler)
    requests_log.setLevel(logging.INFO)
    yield written
    requests_log.removeHandler(handler)
    requests_log.setLevel(level)


def test_a_real_window_goes_through_the_engine(loaded: RunningServer) -> None:
    for _ in range(600):
        answer = httpx2.get(f"{loaded.url}/ready")
        if answer.status_code == 200:
            break
        assert answer.json()["status"] in (
            "the model is being loaded",
            "the engine has not answered yet",
        )
    assert answer.json() == {"status": "ready"}
    text = httpx2.get(f"{loaded.url}/metrics").text
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert float(samples["quest22_batch_windows_count"]) >= 1
    assert float(samples['quest22_queue_wait_seconds_count{class="interactive"}']) >= 1
    assert samples["quest22_models_loaded"] == "1.0"
    assert 0 <= float(samples["quest22_engine_busy_ratio"]) <= 1
    for name in (
        "quest22_live_sessions",
        "quest22_live_committed_latency_seconds_count",
        "quest22_finalization_seconds_count",
        "quest22_dropped_audio_seconds_total",
    ):
        assert samples[name].startswith("0"), name
    assert "process_" not in text


def test_a_model_that_is_not_loaded_yet_keeps_nobody_waiting() -> None:
    with running_server() as idle:
        answer = httpx2.get(f"{idle.url}/ready")
        assert (answer.status_code, idle.service.models.loaded) == (200, ())


def test_keys_are_asked_for_and_never_logged(tmp_path: Path, lines: io.StringIO) -> None:
    key = new_key(tmp_path / "keys.json", "desk")
    with running_server(keys=tmp_path / "keys.json") as guarded:
        url = f"{guarded.url}/v1/models"
        answer = httpx2.get(
            f"{guarded.url}/metrics?key={key}",
            headers={"authorization": f"Bearer {key}", "x-forwarded-for": "10.0.0.1"},
        )
        assert answer.status_code == 200
        unknown = httpx2.get(
            f"{guarded.url}/metrics",
            headers={"authorization": "Bearer q22_guess", "x-forwarded-for": "10.0.0.1"},
        )
        assert unknown.status_code == 401
        httpx2.get(url + f"/x?api_key={key}", headers={"x-request-id": "mine-12345"})
        assert httpx2.get(f"{guarded.url}/health").status_code == 200
    written = lines.getvalue()
    assert key not in written
    assert "q22_guess" not in written
    assert check_lines("server-log", written.splitlines()) == 2
    refused, model = map(json.loads, written.splitlines())
    assert (refused["status"], refused["reason"], refused["path"]) == (
        401,
        "unauthorized",
        "/metrics",
    )
    assert model["request_id"] == "mine-12345"
    assert (model["api"], model["path"], model["method"]) == ("openai", "/v1/models/x", "GET")
    assert model["ms"] >= 0


def test_every_answer_has_an_id(server: RunningServer) -> None:
    ids = [httpx2.get(f"{server.url}/health").headers["x-request-id"] for _ in range(2)]
    assert len(set(ids)) == 2
    wrong = httpx2.get(f"{server.url}/health", headers={"x-request-id": "a b"})
    assert wrong.headers["x-request-id"].startswith("req_")


def test_names_that_are_not_the_servers(server: RunningServer) -> None:
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        answer = httpx2.get(f"{server.url}/health", headers=headers)
        assert answer.status_code == 403
        assert "start it with --allow-" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "203.0.113.7"},
        {"x-forwarded-proto": "https"},
        {"forwarded": "for=203.0.113.7"},
        {"x-real-ip": "203.0.113.7"},
        {"via": "1.1 proxy"},
    ],
)
def test_metrics_are_for_this_machine_and_not_for_proxies_on_it(
    server: RunningServer, headers: dict[str, str]
) -> None:
    url = f"{server.url}/metrics"
    assert httpx2.get(url).status_code == 200
    refused = httpx2.get(url, headers=headers)
    assert refused.status_code == 403
    assert "--metrics-open" in refused.json()["error"]


def test_a_server_with_keys_or_a_proxy_shows_metrics_to_keys_or_on_request(tmp_path: Path) -> None:
    key = new_key(tmp_path / "keys.json", "prometheus")
    with running_server(keys=tmp_path / "keys.json") as guarded:
        url = f"{guarded.url}/metrics"
        assert httpx2.get(url).status_code == 401
        authorised = httpx2.get(url, headers={"authorization": f"Bearer {key}"})
        assert authorised.status_code == 200
    with running_server(forwarded_allow_ips=("127.0.0.1",)) as proxied:
        assert httpx2.get(f"{proxied.url}/metrics").status_code == 403
    forwarded = {"x-forwarded-for": "203.0.113.7"}
    with running_server(
        metrics_open=True, keys=tmp_path / "keys.json", forwarded_allow_ips=("127.0.0.1",)
    ) as opened:
        assert httpx2.get(f"{opened.url}/metrics", headers=forwarded).status_code == 200


def test_lines_for_people_hold_no_control_characters(
    server: RunningServer, lines: io.StringIO
) -> None:
    lines_text = io.StringIO()
    handler = logging.StreamHandler(lines_text)
    handler.setFormatter(TextLines())
    requests_log.addHandler(handler)
    try:
        httpx2.get(f"{server.url}/nothing%0a%1b[31m/" + "x" * 500)
        for _ in range(200):  # the line is written once the answer has been sent
            if lines_text.getvalue().endswith("\n"):
                break
            time.sleep(0.02)
    finally:
        requests_log.removeHandler(handler)
    (line,) = lines_text.getvalue().splitlines()
    assert line.startswith("quest22: 404 GET /nothing???31m/xxx")
    assert len(line) < 320


def test_while_it_ends_it_answers_and_lets_nobody_in() -> None:
    with (
        running_server(drain_s=20.0) as ending,
        ending.service.gate.admit(Caller("one"), "file"),
    ):
        ending.stop()
        for _ in range(200):
            if httpx2.get(f"{ending.url}/ready").status_code == 503:
                break
        answer = httpx2.get(f"{ending.url}/ready")
        assert answer.json() == {"status": "the server is shutting down"}
        assert httpx2.get(f"{ending.url}/health").status_code == 200
        assert ending.service.gate.draining
