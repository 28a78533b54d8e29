"""What a run over a bad network says of it, in its summary and for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quest22.cli.exits import Exit
from quest22.cli.output_flags import ReportFlags
from quest22.metrics import Metrics
from quest22.settings import MemorySettings
from quest22.source.io.retry import NetworkSettings, RetryingClient
from tests.support import corpora
from tests.support.hub import Fault, Hub
from tests.torture.rows import write_rows
from tests.torture.worker import RunSpec


def _hasty(bounds: MemorySettings, metrics: Metrics) -> RetryingClient:
    settings = NetworkSettings(first_delay_s=0.01, max_delay_s=0.05)
    return RetryingClient(settings.within(bounds), metrics)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    corpora.write_parquet(tmp_path / "a.parquet", corpora.samples(40), group=10)
    with Hub() as running:
        running.add_dataset("o/d", {"a.parquet": tmp_path / "a.parquet"})
        yield running


def _told(hub: Hub, folder: Path) -> dict[str, Any]:
    """Run over the file, with a refusal and a body that breaks off; what is told to machines."""
    url = f"{hub.endpoint}/datasets/o/d/resolve/main/a.parquet"
    hub.faults += [
        Fault("storage", method="GET", status=429, headers={"Retry-After": "0"}),
        Fault("storage", method="GET", times=2, cut_after=1000),  # of its first byte, nothing
    ]
    spec = RunSpec(folder, folder / "out", urls=(url,), connect=_hasty)
    report = ReportFlags(quiet=False, stats_json=folder / "stats.json")
    assert spec.command(report) is Exit.DONE
    told: dict[str, Any] = json.loads((folder / "stats.json").read_text())
    return told


def test_retries_are_named_by_host_and_trouble(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = _told(hub, tmp_path)
    named = {(each["host"], each["trouble"]): each["times"] for each in told["retries"]}
    asked = hub.endpoint.removeprefix("http://")
    assert named == {(hub.storage_host, "HTTP 429"): 1, (asked, "body cut off"): 1}
    said = capsys.readouterr().err
    assert "waited for the network" in said
    assert f"1 × HTTP 429 ({hub.storage_host})" in said
    assert f"1 × body cut off ({asked})" in said


def test_bytes_and_seconds_are_those_of_the_run(hub: Hub, tmp_path: Path) -> None:
    told = _told(hub, tmp_path)
    assert told["received_bytes"] <= sum(seen.sent for seen in hub.requests)
    assert told["received_bytes"] >= told["sound_bytes"] == 40 * len(corpora.wav_bytes())
    assert set(told["engine_seconds"]) == {
        "waiting_for_network",
        "waiting_for_source",
        "waiting_for_decoding",
        "waiting_for_nothing",
    }
    assert told["engine_seconds"]["waiting_for_network"] > 0
    assert sum(told["engine_seconds"].values()) == pytest.approx(told["elapsed_s"], abs=0.01)


def test_stats_tell_where_the_time_went(tmp_path: Path) -> None:
    write_rows(tmp_path / "data", 15)
    report = ReportFlags(quiet=True, stats_json=tmp_path / "stats.json")
    RunSpec(tmp_path / "data", tmp_path / "out").command(report)
    told = json.loads((tmp_path / "stats.json").read_text())
    assert (told["clips"], told["failures"], told["exit_code"]) == (12, 3, 3)
    assert sum(told["engine_seconds"].values()) == pytest.approx(told["elapsed_s"], abs=0.01)
