"""What a run over addresses with secrets keeps of them: nothing."""

from __future__ import annotations

import os

import pytest

from quest22.errors import UsageError
from quest22.runs.journal import JOURNAL, Journal
from quest22.runs.retry_failed import retry
from quest22.runs.run_status import status
from quest22.runs.store import LocalRunStore
from quest22.settings import RUN_FOLDER
from tests.runs.dying import DyingPipeline
from tests.support.static_servers import aiohttp_server
from tests.torture.kills import outputs
from tests.torture.rows import write_rows
from tests.torture.worker import RunSpec

SECRET = "hush4711"


@pytest.fixture
def served(tmp_path):
    write_rows(tmp_path / "data", 15)
    with aiohttp_server(tmp_path / "data", tmp_path) as url:
        yield url.replace("http://", f"http://user:{SECRET}@")


def urls(served, secret=SECRET, number=1):
    return tuple(
        f"{served}/part-{part}.parquet?id={number}&sig={secret}&other={secret}a1b2c3d4e5f6"
        for part in range(3)
    )


def test_no_file_of_a_run_holds_a_secret(served, tmp_path):
    folder = tmp_path / "out"
    umask = os.umask(0)
    try:
        with pytest.raises(KeyboardInterrupt):
            RunSpec(tmp_path, folder, urls(served), load=DyingPipeline).run()
        private = [*(folder / RUN_FOLDER).rglob("*")]
        assert [path for path in private if path.stat().st_mode & 0o077] == []
        events = []
        RunSpec(tmp_path, folder, urls(served, "renewed")).run(events.append)
    finally:
        os.umask(umask)
    assert (folder / RUN_FOLDER).stat().st_mode & 0o777 == 0o700
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content, path
            assert b"renewed" not in content, path
    assert SECRET not in repr(status(folder))
    assert (folder / "transcripts.jsonl").stat().st_mode & 0o777 == 0o666


def test_another_dataset_is_refused(served, tmp_path):
    folder = tmp_path / "out"
    RunSpec(tmp_path, folder, urls(served)).run()
    with pytest.raises(UsageError, match="data_files") as refused:
        RunSpec(tmp_path, folder, urls(served, number=2)).run()
    assert SECRET not in str(refused.value)


def test_a_retry_takes_the_address_again(served, tmp_path):
    folder = tmp_path / "out"
    spec = RunSpec(tmp_path, folder, urls(served))
    failures = spec.run().failures
    store = LocalRunStore(folder)
    with pytest.raises(UsageError, match="give it again in full: quest22 retry") as refused:
        retry(store, load=spec.load)
    assert SECRET not in str(refused.value)
    write_rows(tmp_path / "data", 15, healed=True)
    summary = retry(store, addresses=urls(served, "renewed"), load=spec.load)
    assert (summary.failures, summary.transcripts) == (0, 15)
    assert failures > 0


def test_an_old_journal_loses_its_secrets(served, tmp_path):
    folder = tmp_path / "out"
    spec = RunSpec(tmp_path, folder, urls(served))
    spec.run()
    expected = outputs(folder)
    path = folder / JOURNAL
    journal = Journal.read(folder)
    text = path.read_text()
    for sealed, whole in zip(journal.plan["dataset"]["data_files"], urls(served), strict=True):
        text = text.replace(sealed, whole)
    path.write_text(text)
    again = Journal.read(folder)
    assert again.plan == journal.plan
    spec.run()
    again.commit(again.progress)
    assert SECRET not in path.read_text()
    assert outputs(folder) == expected
