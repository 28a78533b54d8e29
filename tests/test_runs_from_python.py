"""Runs into a folder from Python: the same as the command's, and each continues the other's."""

from __future__ import annotations

from pathlib import Path

import pytest

import quest22
from quest22.cli.exits import Exit
from quest22.cli.main import main
from quest22.cli.run import RunReporter
from quest22.runs.events import (
    AlreadyFinished,
    ResultReady,
    ResultsStarted,
    Resuming,
    RunEvent,
    RunFinished,
)
from tests.torture.kills import differences, outputs

SAMPLES = Path(quest22.__file__).parent / "demo" / "samples" / "*.parquet"
TAKE = 8


@pytest.fixture(scope="module")
def transcriber() -> quest22.Transcriber:
    return quest22.Transcriber("nano", compute_type="float32", timestamps=True)


def command(folder: Path) -> int:
    arguments = ["stream", "parquet", "--data-files", str(SAMPLES), "--take", str(TAKE), "-q"]
    return main(
        [*arguments, "--dtype", "float32", "--timestamps", "-o", str(folder), "-f", "jsonl,srt"]
    )


def stream_to(transcriber: quest22.Transcriber, folder: Path, on_event) -> quest22.RunSummary:
    return transcriber.stream_to(
        folder,
        "parquet",
        data_files=str(SAMPLES),
        take=TAKE,
        formats="jsonl,srt",
        on_event=on_event,
    )


class Interrupting:
    """A callback that ends a run as Ctrl-C does, at its so-many-th result."""

    def __init__(self, at: int = 4) -> None:
        self.events: list[RunEvent] = []
        self._at = at

    def __call__(self, event: RunEvent) -> None:
        self.events.append(event)
        if sum(isinstance(each, ResultReady) for each in self.events) == self._at:
            self._at = 0
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the command writes undisturbed."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    assert command(folder) == Exit.DONE
    return outputs(folder)


def test_python_writes_what_the_command_writes(transcriber, whole, tmp_path):
    events: list[RunEvent] = []
    summary = stream_to(transcriber, tmp_path, events.append)
    assert (summary.transcripts, summary.failures, summary.finished) == (TAKE, 0, True)
    assert isinstance(events[0], ResultsStarted)  # no model is loaded
    assert summary.stats.transcripts == TAKE
    assert isinstance(events[-1], RunFinished)
    assert differences(whole, outputs(tmp_path)) == []
    status = quest22.status(tmp_path)
    assert isinstance(status, quest22.RunStatus)
    assert (status.state, status.transcripts, status.command) == ("finished", TAKE, None)


def test_the_command_continues_what_python_began(transcriber, whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        stream_to(transcriber, tmp_path, Interrupting())
    status = quest22.status(tmp_path)
    assert (status.state, status.transcripts) == ("interrupted", 3)
    assert command(tmp_path) == Exit.DONE
    assert differences(whole, outputs(tmp_path)) == []


def test_python_continues_what_the_command_began(transcriber, whole, tmp_path, monkeypatch):
    interrupting, report = Interrupting(), RunReporter.__call__

    def interrupted(reporter: RunReporter, event: RunEvent) -> None:
        report(reporter, event)
        interrupting(event)

    monkeypatch.setattr(RunReporter, "__call__", interrupted)
    assert command(tmp_path) == Exit.INTERRUPTED
    events: list[RunEvent] = []
    summary = stream_to(transcriber, tmp_path, events.append)
    assert any(isinstance(event, Resuming) and event.results == 3 for event in events)
    assert (summary.transcripts, summary.stats.transcripts) == (TAKE, TAKE - 3)
    assert differences(whole, outputs(tmp_path)) == []


def test_python_continues_what_python_began(transcriber, whole, tmp_path):
    for at in (2, 3):
        with pytest.raises(KeyboardInterrupt):
            stream_to(transcriber, tmp_path, Interrupting(at))
    assert stream_to(transcriber, tmp_path, lambda _: None).finished
    assert differences(whole, outputs(tmp_path)) == []
    events: list[RunEvent] = []
    assert stream_to(transcriber, tmp_path, events.append).transcripts == TAKE
    assert [type(event) for event in events] == [AlreadyFinished]


def test_another_transcriber_is_refused(transcriber, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        stream_to(transcriber, tmp_path, Interrupting())
    other = quest22.Transcriber("nano", compute_type="float32", timestamps=True, language="ru")
    with pytest.raises(quest22.UsageError, match=r"decoding\.language was None and is 'ru'"):
        stream_to(other, tmp_path, lambda _: None)


def test_a_folder_is_streamed_to_and_retried(transcriber, tmp_path):
    stream_to(transcriber, tmp_path, lambda _: None)
    summary = quest22.retry(tmp_path)
    assert (summary.transcripts, summary.failures) == (TAKE, 0)


def test_captions_need_times(tmp_path):
    plain = quest22.Transcriber("nano")
    with pytest.raises(
        quest22.UsageError, match="srt, vtt require timestamps: create the Transcriber with"
    ):
        plain.stream_to(tmp_path, "parquet", data_files=str(SAMPLES), formats=("vtt", "srt"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", [quest22.retry, quest22.status])
def test_a_folder_without_a_run(call, tmp_path):
    with pytest.raises(quest22.UsageError, match="no run in"):
        call(tmp_path)
