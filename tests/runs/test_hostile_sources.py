"""Tars on a server that answers oddly: no row is lost, whatever a request gets."""

from __future__ import annotations

import errno
import os
import tempfile
from dataclasses import replace

import pytest

from quest22.cli.exits import Exit
from quest22.errors import SourceError
from quest22.runs.run_status import status
from quest22.source.io.retry import NetworkSettings, RetryingClient
from tests.runs.dying import DyingDigestPipeline
from tests.support import corpora
from tests.support.hostile_server import PASSING, HostileServer
from tests.torture.kills import differences, outputs
from tests.torture.worker import DigestPipeline, RunSpec

ROWS = corpora.samples(24)
PATIENT = NetworkSettings(
    first_delay_s=0.01,
    max_delay_s=0.02,
    max_retry_after_s=0.05,
    read_timeout_s=2.0,
    range_bytes=32 << 10,
)
HASTY = replace(PATIENT, retry_timeout_s=0.1, unknown_host_timeout_s=0.1)


def connect(settings: NetworkSettings):
    return lambda bounds, metrics: RetryingClient(
        replace(settings.within(bounds), range_bytes=32 << 10), metrics
    )


@pytest.fixture
def server(tmp_path):
    (tmp_path / "data").mkdir()
    corpora.write_tar(tmp_path / "data" / "a.tar", ROWS)
    with HostileServer(tmp_path / "data") as server:
        yield server


def spec(server: HostileServer, folder, settings=PATIENT, names=("a.tar",), **named) -> RunSpec:
    urls = tuple(f"{server.url}/{name}" for name in names)
    rows = {"path": "webdataset", "data_files": urls, "keep_columns": ()}
    named = {"load": DigestPipeline, **named}
    return RunSpec(folder, folder, connect=connect(settings), dataset=rows, **named)


@pytest.fixture
def expected(server, tmp_path):
    run = spec(server, tmp_path / "whole")
    assert run.command() is Exit.DONE
    requests, server.count = server.count, 0
    return outputs(run.folder), requests


@pytest.mark.slow
@pytest.mark.parametrize("oddity", PASSING)
@pytest.mark.parametrize("settings", [PATIENT, HASTY], ids=["patient", "hasty"])
def test_one_odd_answer_to_each_request_in_turn(server, expected, tmp_path, oddity, settings):
    whole, requests = expected
    for number in range(requests):
        check_one(server, whole, tmp_path / str(number), settings, {number: oddity})


@pytest.mark.parametrize("oddity", ["404", "400", "garbage", "short body", "redirect to nowhere"])
@pytest.mark.parametrize("number", [0, 2, 4, 6])
def test_odd_answers_beyond_all_patience(server, expected, tmp_path, oddity, number):
    odd = dict.fromkeys(range(number, number + 200), oddity)
    check_one(server, expected[0], tmp_path / "out", HASTY, odd)


def check_one(server, whole, folder, settings, odd) -> None:
    """A run that meets odd answers, then goes on in peace: complete only with all rows."""
    server.count, server.odd = 0, dict(odd)
    run = spec(server, folder, settings)
    try:
        code = run.command()
    except SourceError:
        code = Exit.NOTHING_DONE
    if code is not Exit.DONE:
        assert code in (Exit.NOTHING_DONE, Exit.INCOMPLETE)
        assert not (folder / ".quest22" / "journal.json").exists() or (
            status(folder).state != "finished"
        )
        server.odd = {}
        begun = (folder / ".quest22" / "journal.json").exists()
        retried = replace(run, retry=begun and hash(folder) % 2 == 0)
        assert retried.command() is Exit.DONE
    assert differences(whole, outputs(folder)) == []


def test_one_bad_file_does_not_stop_the_others(server, tmp_path):
    for name in ("b.tar", "c.tar"):
        corpora.write_tar(tmp_path / "data" / name, corpora.samples(6, start=ord(name[0]) * 9))
    server.only, server.always = "b.tar", (1, "500")
    run = spec(server, tmp_path / "out", HASTY, ("a.tar", "b.tar", "c.tar"))
    assert run.command() is Exit.INCOMPLETE
    found = status(run.folder)
    assert (found.transcripts, found.failures, found.open_ends) == (30, 0, 1)
    assert "b.tar" in found.missing[0]
    server.always = None
    assert run.command() is Exit.DONE
    assert status(run.folder).transcripts == 36


def change(path) -> None:
    """The same ids with other sound and other texts."""
    rows = [replace(row, sound=corpora.wav_bytes(seed=99), text="other") for row in ROWS]
    stat, new = path.stat(), path.with_suffix(".new")
    corpora.write_tar(new, rows)
    os.utime(new, (stat.st_atime, stat.st_mtime + 5))
    new.replace(path)  # nobody reads half of it


@pytest.mark.parametrize("place", ["server", "disk"])
def test_a_file_that_is_replaced_between_runs(server, tmp_path, place):
    run = spec(server, tmp_path / "out")
    if place == "disk":
        files = (str(tmp_path / "data" / "a.tar"),)
        run = replace(run, dataset={**run.dataset, "data_files": files})
    with pytest.raises(KeyboardInterrupt):
        replace(run, load=DyingDigestPipeline).run()
    change(tmp_path / "data" / "a.tar")
    with pytest.raises(SourceError, match=r"a\.tar has changed since .*--restart"):
        run.run()
    restarted = replace(run, changes={"restart": True}).run()
    assert (restarted.transcripts, restarted.failures) == (24, 0)


def test_a_file_that_is_replaced_when_all_is_done(server, tmp_path, caplog):
    run = spec(server, tmp_path / "out")
    files = (str(tmp_path / "data" / "a.tar"),)
    run = replace(run, dataset={**run.dataset, "data_files": files})
    run.run()
    run.run()
    assert "have changed" not in caplog.text
    change(tmp_path / "data" / "a.tar")
    assert run.run().transcripts == 24
    assert "a.tar (its time of change was" in caplog.text


def test_a_file_that_is_replaced_while_it_is_read(server, tmp_path):
    def replace_at_fourth(number: int) -> None:
        if number == 4:
            change(tmp_path / "data" / "a.tar")

    server.before = replace_at_fourth
    run = spec(server, tmp_path / "out")
    for _ in range(2):
        with pytest.raises(SourceError, match="has changed since the run began to read it"):
            run.run()
        server.before = lambda _number: None
    assert status(run.folder).failures == 0


def test_a_new_file_that_is_sorted_first(server, tmp_path):
    files = {"data_files": (f"{tmp_path}/data/*.tar",)}
    run = spec(server, tmp_path / "out")
    run = replace(run, dataset={**run.dataset, **files})
    with pytest.raises(KeyboardInterrupt):
        replace(run, load=DyingDigestPipeline).run()
    corpora.write_tar(tmp_path / "data" / "0.tar", ROWS[:2])
    with pytest.raises(SourceError, match=r"1 data file new.*--restart$"):
        run.run()


def test_wrong_bytes_against_the_checksum_of_all(server, tmp_path):
    from tests.source.io.test_web_file import google

    server.extra = google
    server.odd = {5: "garbled body"}
    with pytest.raises(SourceError, match="md5 that its server states"):
        spec(server, tmp_path / "out").run()


def test_a_full_disk_for_temporary_files(server, expected, tmp_path, monkeypatch):
    made = []

    def full(*arguments, **named):
        made.append(1)
        if len(made) > 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return temporary_file(*arguments, **named)

    temporary_file = tempfile.TemporaryFile

    small = replace(PATIENT, member_bytes=1000)  # so that recordings go to a temporary file

    def tight(_bounds, metrics):
        return RetryingClient(small, metrics)

    run = replace(spec(server, tmp_path / "out"), connect=tight)
    with monkeypatch.context() as patched:
        patched.setattr("quest22.source.io.spool.tempfile.TemporaryFile", full)
        assert run.command() is Exit.INCOMPLETE
    found = status(run.folder)
    assert (found.failures, found.open_ends) == (0, 1)
    assert "no space is left" in found.missing[0]
    assert run.command() is Exit.DONE
    assert differences(expected[0], outputs(run.folder)) == []
