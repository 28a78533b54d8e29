"""Servers that fail: what passes is waited out and costs one range; what does not is told."""

from __future__ import annotations

import io
import ssl
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quest22.errors import ClipError, SourceError
from quest22.metrics import Metrics
from quest22.records import Clip
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from quest22.source.io import retry as retry_module
from quest22.source.io.error_kinds import CutOffError, error_kind, reason_of
from quest22.source.io.media import media_opener
from quest22.source.io.retry import NetworkError, NetworkSettings, RetryingClient
from tests.support import corpora
from tests.support.hub import Fault, Hub

ROWS = corpora.samples(40)
QUICK = NetworkSettings(
    retry_timeout_s=60.0,
    unknown_host_timeout_s=60.0,
    first_delay_s=0.01,
    max_delay_s=0.05,
    max_retry_after_s=0.1,
    read_timeout_s=0.3,
    range_timeout_s=0.6,
    range_bytes=16 << 10,
)

HASTY = replace(QUICK, retry_timeout_s=0.5, unknown_host_timeout_s=0.1)


class _Answer(Exception):  # noqa: N818 -- shaped like aiohttp's error of an answer
    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(str(status))
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def _failing(*errors: Exception) -> Any:
    left = list(errors)

    def action() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return action


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        ConnectionRefusedError(),
        CutOffError(),
        TimeoutError(),
        _Answer(408),
        _Answer(429),
        _Answer(500),
        _Answer(502),
        _Answer(503),
    ],
)
def test_what_passes_is_tried_again(error: Exception) -> None:
    client = RetryingClient(QUICK)
    assert client.retry(_failing(error, error), "https://h/a?token=secret") == "done"
    assert client.metrics.labelled_counts("retries") == {("h", error_kind(error)): 2}


@pytest.mark.parametrize("error", [_Answer(404), PermissionError(), ValueError(), _Answer(403)])
def test_what_does_not_pass_is_raised_at_once(error: Exception) -> None:
    client = RetryingClient(QUICK)
    with pytest.raises(type(error)):
        client.retry(_failing(error), "https://h/a")
    assert not client.metrics.labelled_counts("retries")


@pytest.mark.parametrize("status", [400, 404, 409, 410, 418, 429, 500, 503])
def test_a_file_that_was_read_is_waited_for(status: int) -> None:
    client = RetryingClient(QUICK)
    action = _failing(_Answer(status), _Answer(status))
    assert client.retry_file(action, "https://h/a", read_before=True) == "done"


@pytest.mark.parametrize(
    ("status", "passes"),
    [(400, True), (418, True), (404, False), (410, False), (401, False), (403, False)],
)
def test_a_file_that_was_never_read(status: int, passes: bool) -> None:
    client = RetryingClient(QUICK)
    action = _failing(_Answer(status))
    if passes:
        assert client.retry_file(action, "https://h/a", read_before=False) == "done"
        return
    with pytest.raises(_Answer):
        client.retry_file(action, "https://h/a", read_before=False)


def test_a_server_that_answers_is_given_the_longer_patience() -> None:
    settings = replace(QUICK, unknown_host_timeout_s=0.0, max_retry_after_s=0.05)
    client = RetryingClient(settings)
    answers = [_Answer(429, Retry_After="9")] * 3
    assert client.retry_file(_failing(*answers), "https://h/a", read_before=False) == "done"
    with pytest.raises(NetworkError):
        client.retry_file(_failing(TimeoutError()), "https://other/a", read_before=False)


def test_a_certificate_that_is_not_trusted_does_not_pass() -> None:
    client = RetryingClient(QUICK)
    error = ssl.SSLCertVerificationError("self-signed")
    with pytest.raises(ssl.SSLCertVerificationError):
        client.retry_file(_failing(error), "https://h/a", read_before=True)
    assert "certificate is not trusted" in reason_of(error, "https://h/a")


def test_patience_ends_and_says_how_often_it_was_tried() -> None:
    client = RetryingClient(HASTY)
    client.retry(lambda: 0, "https://h/a")
    with pytest.raises(NetworkError, match=r"https://h/b: it cannot be reached.*tried \d+ times"):
        client.retry(_failing(*[TimeoutError()] * 1000), "https://h/b")
    known = client.metrics.labelled_counts("retries").total()
    with pytest.raises(NetworkError):
        client.retry(_failing(*[TimeoutError()] * 1000), "https://unknown/b")
    assert client.metrics.labelled_counts("retries").total() - known < known


def test_a_refusal_is_tried_again_where_we_were_let_in_before() -> None:
    client = RetryingClient(QUICK)
    client.retry(lambda: 0, "https://h/a")
    assert client.retry(_failing(_Answer(401), _Answer(403)), "https://h/a") == "done"
    with pytest.raises(NetworkError, match="log"):
        client.retry(_failing(*[_Answer(401)] * 9), "https://h/a")


@pytest.fixture
def hub(tmp_path: Path) -> Any:
    corpora.write_parquet(tmp_path / "0.parquet", ROWS[:20], group=5, ballast=20_000)
    corpora.write_parquet(tmp_path / "1.parquet", ROWS[20:], group=5)
    corpora.write_tar(tmp_path / "a.tar", ROWS)
    corpora.write_sounds(tmp_path, ROWS[:1])
    names = ["0.parquet", "1.parquet", "a.tar", f"{ROWS[0].id}.wav"]
    with Hub() as running:
        running.add_dataset("o/d", {name: tmp_path / name for name in names})
        yield running


def _url(hub: Hub, name: str) -> str:
    return f"{hub.endpoint}/datasets/o/d/resolve/main/{name}"


def _host(hub: Hub) -> str:
    return hub.endpoint.removeprefix("http://")


WHOLE = [(row.id, row.sound) for row in ROWS]


def _heard(source: DatasetSource) -> list[tuple[str, Any]]:
    return [(clip.key, clip.media) for clip in source if isinstance(clip, Clip)]


def _source(
    hub: Hub, *names: str, network: NetworkSettings = QUICK
) -> tuple[DatasetSource, Metrics]:
    metrics = Metrics()
    builder = "webdataset" if names[0].endswith("tar") else "parquet"
    settings = DatasetSettings(builder, data_files=tuple(_url(hub, name) for name in names))
    return DatasetSource(settings, metrics, client=RetryingClient(network, metrics)), metrics


@pytest.mark.parametrize("names", [("0.parquet", "1.parquet"), ("a.tar",)])
@pytest.mark.parametrize(
    "fault",
    [
        {"cut_after": 3000},
        {"cut_after": 3000, "reset": True},
        {"status": 503},
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"status": 500},
        {"status": 502},
        {"delay_s": 0.02},
    ],
)
def test_no_row_is_lost_on_a_bad_network(
    hub: Hub, names: tuple[str, ...], fault: dict[str, Any]
) -> None:
    source, metrics = _source(hub, *names)
    # Enough of them, and where bodies are long: a cut redirect or footer is whole all the same.
    hub.faults += [Fault(r"storage", times=12, method="GET", **fault)]
    assert _heard(source) == WHOLE
    assert "delay_s" in fault or metrics.labelled_counts("retries").total() >= 1


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ({"delay_s": 0.7}, "time-out"),
        ({"cut_after": 3000, "stall_s": 0.7}, "time-out"),
        ({"trickle_s": 0.1}, "time-out"),
        ({"status": 401}, "HTTP 401"),
        ({"status": 403}, "HTTP 403"),
    ],
)
def test_read_timeout_slowness_and_refusals_are_waited_out_and_named(
    hub: Hub, fault: dict[str, Any], trouble: str
) -> None:
    source, metrics = _source(hub, "0.parquet", "1.parquet")
    hub.faults += [Fault(r"storage", times=6, method="GET", **fault)]
    assert _heard(source) == WHOLE
    assert trouble in {told for _, told in metrics.labelled_counts("retries")}


def test_an_address_that_has_expired_is_asked_for_anew(hub: Hub) -> None:
    source, metrics = _source(hub, "0.parquet", "1.parquet")
    rows = iter(source)
    heard = [next(rows)]
    for row in rows:
        hub.expire_signatures()
        heard.append(row)
    assert [clip.media for clip in heard if isinstance(clip, Clip)] == [r.sound for r in ROWS]
    refused = [seen for seen in hub.requests if seen.status == 403]
    assert len(refused) <= metrics.labelled_counts("retries").total() + len(ROWS)


def test_a_run_outlives_a_restart_of_the_server(hub: Hub) -> None:
    source, metrics = _source(hub, "0.parquet", "1.parquet")
    rows = iter(source)
    heard = [next(rows)]
    hub.close()
    back: list[Hub] = []

    def come_back() -> None:
        back.append(Hub(hub.port, hub.catalogue))

    restart = threading.Timer(1.0, come_back)
    restart.start()
    heard += rows
    restart.join()
    back[0].close()
    assert [clip.media for clip in heard if isinstance(clip, Clip)] == [r.sound for r in ROWS]
    assert {told for _, told in metrics.labelled_counts("retries")} <= {
        "connection refused",
        "connection lost",
        "body cut off",
    }
    assert metrics.labelled_counts("retries").total() > 5


def test_trouble_that_lasts_is_told_and_so_is_its_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry_module, "LOG_AFTER_S", 0.0)
    client = RetryingClient(QUICK)
    client.retry(_failing(_Answer(503), _Answer(503)), "https://h/a")
    first, last = [record.getMessage() for record in caplog.records]
    assert first.startswith(
        "https://h/a: the server answered 503: try again later; retrying for up to"
    )
    assert last == "h is reachable again"


def test_a_reset_costs_one_range(hub: Hub) -> None:
    source, metrics = _source(hub, "0.parquet")
    whole = metrics.counts()["net_bytes"]
    list(source)
    needed = metrics.counts()["net_bytes"] - whole
    begun = sum(seen.sent for seen in hub.requests)
    hub.faults += [Fault(r".*", times=1, method="GET", cut_after=1000)]
    list(source)
    sent = sum(seen.sent for seen in hub.requests) - begun
    assert sent <= needed + QUICK.range_bytes


def test_a_server_that_stays_away_ends_the_run_and_not_the_rows(hub: Hub) -> None:
    source, _ = _source(hub, "0.parquet", "1.parquet", network=HASTY)
    hub.faults += [Fault(r".*", times=10_000, status=503)]
    with pytest.raises(SourceError, match=r"parquet.*tried \d+ times"):
        list(source)


def test_media_are_read_with_retries(hub: Hub) -> None:
    client = RetryingClient(QUICK)
    open_again = media_opener(_url(hub, f"{ROWS[0].id}.wav"), client)
    with open_again() as file:
        hub.faults += [Fault(r".*", times=2, method="GET", cut_after=100)]
        assert file.read() == ROWS[0].sound
    assert client.metrics.labelled_counts("retries") == {(_host(hub), "body cut off"): 2}
    with media_opener(_url(hub, f"{ROWS[0].id}.wav"), RetryingClient(HASTY))() as file:
        hub.faults += [Fault(r".*", times=10_000, status=503)]
        file.seek(0, io.SEEK_SET)
        with pytest.raises(ClipError, match="tried"):
            file.read()
