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
    arguments = ["stream", "parquet", "-m", "nano", "--data-files", str(SAMPLES), "-q"]
    arguments += ["--take", str(TAKE)]
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


@pytest.fixture(scope="module")
def words() -> quest22.Transcriber:
    return quest22.Transcriber(
        "nano", compute_type="float32", timestamps=True, word_timestamps=True
    )


def rows(**options: object) -> dict[str, object]:
    return {"data_files": str(SAMPLES), "take": TAKE, **options}


def test_a_run_with_layout_of_captions_is_the_commands(words, tmp_path):
    flags = "--max-line-width 20 --max-line-count 1 -f srt,vtt --dtype float32 --word-timestamps"
    arguments = ["stream", "parquet", "-m", "nano", "--data-files", str(SAMPLES), "-q"]
    arguments += ["--take", str(TAKE)]
    by_command, by_python = tmp_path / "command", tmp_path / "python"
    assert main([*arguments, *flags.split(), "-o", str(by_command)]) == Exit.DONE
    words.stream_to(
        by_python, "parquet", **rows(formats=["srt", "vtt"], max_line_width=20, max_line_count=1)
    )
    assert differences(outputs(by_command), outputs(by_python)) == []


def test_a_finished_run_starts_over_with_restart(words, tmp_path):
    assert words.stream_to(tmp_path, "parquet", **rows(take=2)).transcripts == 2
    with pytest.raises(quest22.UsageError, match=r"restart=True") as caught:
        words.stream_to(tmp_path, "parquet", **rows(take=1))
    assert "--" not in str(caught.value)
    summary = words.stream_to(tmp_path, "parquet", **rows(take=1, restart=True))
    assert (summary.transcripts, summary.stats.transcripts) == (1, 1)


def test_a_finished_run_takes_more_rows(words, tmp_path):
    assert words.stream_to(tmp_path, "parquet", **rows(take=2)).transcripts == 2
    summary = words.stream_to(tmp_path, "parquet", **rows(take=3))
    assert (summary.transcripts, summary.stats.transcripts) == (3, 1)


@pytest.mark.parametrize(("options", "most"), [({"max_failures": 1}, 1), ({"on_error": "stop"}, 0)])
def test_failures_stop_a_run(tmp_path, options, most):
    short = quest22.Transcriber("nano", compute_type="float32", max_duration_s=0.1)
    with pytest.raises(quest22.TooManyFailuresError):
        short.stream_to(tmp_path, "parquet", **rows(**options))
    status = quest22.status(tmp_path)
    assert isinstance(status, quest22.RunStatus)
    assert status.failures == most


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formats": "mp3"}, "unknown output format 'mp3'"),
        ({"max_line_count": 2}, "requires max_line_width: give both"),
        ({"max_line_width": "9"}, "max_line_width is '9': expected a whole number"),
        ({"on_error": "cry"}, "on_error is 'cry': expected skip or stop"),
        ({"max_failures": -1}, "max_failures is -1"),
        ({"restart": 1}, "restart is 1: expected True or False"),
        ({"push_to_hub": "me/x", "hub_commit_every": "1s"}, "hub_commit_every is '1s'"),
        ({"push_to_hub": "me/x", "private": "yes"}, "private is 'yes'"),
        ({"max_words": 3}, r"unknown option 'max_words': did you mean 'max_words_per_line'\?"),
        ({"beam_size": 3}, "unknown option 'beam_size'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(words, tmp_path, options, message):
    with pytest.raises(quest22.UsageError, match=message):
        words.stream_to(tmp_path, "parquet", **rows(**options))
    assert list(tmp_path.iterdir()) == []


def test_layout_of_captions_needs_words(transcriber, tmp_path):
    with pytest.raises(quest22.UsageError, match="with word_timestamps=True"):
        transcriber.stream_to(tmp_path, "parquet", **rows(formats="srt", max_line_width=20))
    assert list(tmp_path.iterdir()) == []


def test_options_of_publishing_reach_the_run(words, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(quest22.api.runs, "run", lambda settings, *_, **__: asked.append(settings))
    words.stream_to(
        tmp_path, "parquet", **rows(push_to_hub="me/x", private=True, hub_commit_every=50)
    )
    hub = asked[0].push_to_hub
    assert (hub.repository, hub.private, hub.commit_seconds, hub.commit_rows) == (
        "me/x",
        True,
        None,
        50,
    )
