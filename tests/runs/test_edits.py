"""Runs whose outputs people change: noticed at the start, and nothing of theirs is lost."""

from __future__ import annotations

import json

import pytest

from quest22.errors import SinkError
from quest22.runs.events import ModelLoading, OutputsEdited, Resuming
from quest22.runs.journal import JOURNAL
from quest22.runs.run_status import status
from quest22.settings import RUN_FOLDER
from tests.runs.dying import DyingDigestPipeline, DyingPipeline
from tests.torture.kills import differences, outputs
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline, MixingPipeline, RunSpec

LINES = "transcripts.jsonl"
OWN = [f"{RUN_FOLDER}/{name}.jsonl" for name in ("rows", "ledger", "names")]


@pytest.fixture
def data(tmp_path):
    write_rows(tmp_path / "data", 15)
    return tmp_path / "data"


@pytest.fixture
def folder(data, tmp_path):
    """The outputs of a run that was interrupted."""
    with pytest.raises(KeyboardInterrupt):
        RunSpec(data, tmp_path / "out", load=DyingPipeline).run()
    return tmp_path / "out"


def changed(path, change):
    path.write_bytes(change(path.read_bytes()))


def gone_on(data, folder, load=MixingPipeline, **changes):
    """The events of the run that goes on."""
    events = []
    RunSpec(data, folder, load=load, **changes).run(events.append)
    return events


CHANGES = {
    "CRLF": lambda content: content.replace(b"\n", b"\r\n"),
    "shorter": lambda content: content[:-5],
    "edited": lambda content: b"#" + content[1:],
    "emptied": lambda _: b"",
    "a line less": lambda content: content.split(b"\n", 1)[1],
}


@pytest.mark.parametrize("name", [LINES, "failures.jsonl", *OWN])
@pytest.mark.parametrize("change", [*CHANGES, "gone"])
def test_what_was_published_must_be_there(data, folder, name, change):
    path = folder / name
    if change == "gone":
        path.unlink()
    else:
        changed(path, CHANGES[change])
    before = outputs(folder)
    events = []
    with pytest.raises(SinkError, match=r"changed since the run wrote it: .*; put it back"):
        RunSpec(data, folder).run(events.append)
    assert not any(isinstance(event, ModelLoading) for event in events)
    assert outputs(folder) == before


def test_what_was_added_is_kept(data, folder, tmp_path):
    added = b'{"id": "mine", "text": "by hand"}\n'
    changed(folder / LINES, lambda content: content + added)
    events = gone_on(data, folder)
    (edited,) = (event for event in events if isinstance(event, OutputsEdited))
    assert f"{LINES} was changed since the run wrote it: {len(added)} bytes" in edited.findings[0]
    assert events.index(edited) < next(
        number for number, event in enumerate(events) if isinstance(event, Resuming)
    )
    assert (folder / f"{LINES}.cut").read_bytes() == added
    (folder / f"{LINES}.cut").unlink()
    RunSpec(data, tmp_path / "whole").run()
    assert differences(outputs(tmp_path / "whole"), outputs(folder)) == []


def test_the_runs_own_lines_are_no_edit(data, folder, monkeypatch):
    """Lines beyond the recorded progress, as a crash leaves them."""
    journal = json.loads((folder / JOURNAL).read_text())
    lines = (folder / LINES).read_bytes()
    first = lines.index(b"\n") + 1
    assert len(lines) > first
    begun = {name: {"bytes": 0} for name in journal["mark"]["sinks"]}
    mark = {"transcripts": 0, "failures": 0, "audio_s": 0.0, "last": None, "sinks": begun}
    journal["mark"] |= mark
    (folder / JOURNAL).write_text(json.dumps(journal))
    (folder / RUN_FOLDER / "replay.jsonl").unlink()
    assert not any(isinstance(event, OutputsEdited) for event in gone_on(data, folder))
    assert not list(folder.glob("*.cut*"))


def test_captions_are_their_readers(data, folder):
    captions = sorted(folder.rglob("*.srt"))
    captions[0].unlink()
    captions[1].write_text("mine")
    (edited,) = (each for each in gone_on(data, folder) if isinstance(each, OutputsEdited))
    names = [path.relative_to(folder).as_posix() for path in captions[:2]]
    gone, mine = edited.findings
    assert gone.endswith(f"are gone since the run wrote them, and are left so: {names[0]}")
    assert mine.endswith(f"are changed since the run wrote them, and are left so: {names[1]}")
    assert captions[1].read_text() == "mine"
    assert not captions[0].exists()


@pytest.mark.parametrize("load", [DigestPipeline, DyingDigestPipeline], ids=["finished", "stopped"])
def test_a_retry_notices(data, tmp_path, load):
    folder = tmp_path / "out"
    spec = RunSpec(data, folder, load=load)
    if load is DigestPipeline:
        spec.run()
    else:
        with pytest.raises(KeyboardInterrupt):
            spec.run()
    before = (folder / LINES).read_bytes()
    changed(folder / LINES, CHANGES["edited"])
    with pytest.raises(SinkError, match="was changed since"):
        gone_on(data, folder, DigestPipeline, retry=True)
    (folder / LINES).write_bytes(before + b"mine")
    findings = [
        line
        for event in gone_on(data, folder, DigestPipeline, retry=True)
        if isinstance(event, OutputsEdited)
        for line in event.findings
    ]
    assert findings
    assert (folder / f"{LINES}.cut").read_bytes() == b"mine"
    assert status(folder).transcripts == 12


def test_a_table_that_was_changed(data, tmp_path):
    folder = tmp_path / "out"
    RunSpec(data, folder, load=DigestPipeline).run()
    (folder / "transcripts.parquet").write_bytes(b"PAR1 and no more PAR1")
    with pytest.raises(SinkError, match=r"transcripts\.parquet"):
        gone_on(data, folder, DigestPipeline, retry=True)


@pytest.mark.parametrize("name", [LINES, "failures.jsonl", "transcripts.parquet"])
@pytest.mark.parametrize("change", ["added", "shorter", "gone"])
def test_a_complete_run_tells_and_changes_nothing(data, tmp_path, name, change):
    folder = tmp_path / "out"
    RunSpec(data, folder).run()
    path = folder / name
    if change == "gone":
        path.unlink()
    else:
        changed(path, CHANGES.get(change, lambda content: content + b"mine"))
    left = outputs(folder)
    (edited,) = (each for each in gone_on(data, folder) if isinstance(each, OutputsEdited))
    (line,) = edited.findings
    assert name in line
    assert outputs(folder) == left
