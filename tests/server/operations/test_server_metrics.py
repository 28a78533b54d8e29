"""What Prometheus is told."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import connect

from quest22.server.operations.server_metrics import ServerMetrics
from tests.support.running_server import RunningServer


@given(st.lists(st.integers(1000, 4999), max_size=200))
def test_whatever_code_clients_close_with_the_series_are_few(codes: list[int]) -> None:
    metrics = ServerMetrics()
    for code in codes:
        metrics.count_request("live", code)
    labels = {
        line.partition('status="')[2].partition('"')[0]
        for line in metrics.text().decode().splitlines()
        if line.startswith("quest22_requests_total")
    }
    assert labels <= {*map(str, range(1000, 1016)), "other"}


@pytest.mark.parametrize(("code", "label"), [(1001, "1001"), (4999, "other")])
def test_a_client_that_closes_with_a_code_of_its_own(
    server: RunningServer, code: int, label: str
) -> None:
    with connect(f"{server.websocket_url}/live", open_timeout=60) as socket:
        socket.recv(timeout=60)
        socket.close(code)
    sample = f'quest22_requests_total{{api="live",status="{label}"}}'
    for _ in range(500):
        text = server.service.gate.metrics.text().decode()
        if sample in text:
            break
        time.sleep(0.02)
    assert sample in text
    assert 'status="4999"' not in text


def test_a_counter_is_one_series(server: RunningServer) -> None:
    text = server.service.gate.metrics.text().decode()
    assert "quest22_dropped_audio_seconds_total" in text
    assert "_created" not in text
