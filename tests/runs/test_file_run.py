from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from quest22.errors import UsageError
from quest22.records import Hypothesis, Window
from quest22.runs.done_files import DONE
from quest22.runs.events import Resumable, Resuming, RunEvent
from quest22.runs.file_run import FileRun, transcribe_files
from quest22.runs.write import WriteOptions
from quest22.runtime.build import file_source
from quest22.runtime.progress import ClipProgress
from quest22.settings import RUN_FOLDER, EngineSettings, OutputSettings, PipelineSettings
from tests.support.corpora import wav_bytes
from tests.torture.worker import DigestEngine, DigestPipeline

BLOCKS = 7
BLOCK = 20 * 16_000
"""A clip has seven blocks of 20 s, each a window; a batch has four."""


class CountingEngine(DigestEngine):
    windows = 0

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        type(self).windows += len(windows)
        return super().run(windows)


class CountingPipeline(DigestPipeline):
    engine = CountingEngine


@pytest.fixture
def talks(tmp_path: Path) -> list[str]:
    CountingEngine.windows = 0
    paths = [tmp_path / f"talk-{number}.wav" for number in range(2)]
    for number, path in enumerate(paths):
        path.write_bytes(wav_bytes(BLOCKS * BLOCK, seed=number))
    return [str(path) for path in paths]


def file_run(talks: list[str], folder: Path, formats=("txt", "jsonl"), **changes) -> FileRun:
    pipeline = PipelineSettings(EngineSettings("nano", compute_type="float32"))
    output = OutputSettings(tuple(formats), folder, **changes)
    return FileRun(lambda client: file_source(talks, client), pipeline, output, WriteOptions())


def stop_after(count: int) -> Callable[[RunEvent], None]:
    """A callback that interrupts the run at the so-many-th progress of a clip."""
    left = count

    def on_event(event: RunEvent) -> None:
        nonlocal left
        left -= isinstance(event, ClipProgress)
        if left == 0:
            raise KeyboardInterrupt

    return on_event


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and RUN_FOLDER not in path.parts
    }


def kept(folder: Path) -> list[str]:
    """What the run itself keeps in a folder."""
    return sorted(path.name for path in (folder / RUN_FOLDER).iterdir())


def perform(run: FileRun, on_event: Callable[[RunEvent], None] | None = None):
    events: list[RunEvent] = []
    summary = transcribe_files(run, on_event or events.append, load=CountingPipeline)
    return summary, events


def interrupt(run: FileRun, count: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        perform(run, stop_after(count))


def test_a_whole_run_leaves_outputs_only(talks, tmp_path):
    summary, events = perform(file_run(talks, tmp_path / "out"))
    assert (summary.transcripts, summary.failures, summary.finished) == (2, 0, True)
    assert list(contents(tmp_path / "out")) == ["talk-0.txt", "talk-1.txt", "transcripts.jsonl"]
    assert kept(tmp_path / "out") == ["done.json"]
    assert not any(isinstance(event, Resuming | Resumable) for event in events)


@pytest.mark.parametrize("stops", [[1], [2], [3], [1, 1], [2, 1]])
@pytest.mark.parametrize("formats", [("txt", "jsonl"), ("srt", "parquet")])
def test_an_interrupted_run_goes_on_and_ends_as_a_whole_one(talks, tmp_path, stops, formats):
    perform(file_run(talks, tmp_path / "whole", formats))
    whole, CountingEngine.windows = CountingEngine.windows, 0
    run = file_run(talks, tmp_path / "out", formats)
    for count in stops:
        interrupt(run, count)
    summary, events = perform(run)
    assert (summary.transcripts, summary.failures) == (2, 0)
    assert any(isinstance(event, Resuming) for event in events)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert CountingEngine.windows == whole == 2 * BLOCKS


def test_another_command_into_the_folder_begins_anew(talks, tmp_path):
    interrupt(file_run(talks, tmp_path / "out", ("txt",)), 1)
    _, events = perform(file_run(talks[1:], tmp_path / "out", ("txt",)))
    assert not any(isinstance(event, Resuming) for event in events)
    assert "talk-1.txt" in contents(tmp_path / "out")
    _, events = perform(file_run(talks, tmp_path / "out", ("txt",)))  # the first one still goes on
    assert any(isinstance(event, Resuming) for event in events)


def test_a_changed_file_is_transcribed_anew(talks, tmp_path):
    run = file_run(talks, tmp_path / "out", ("txt",))
    interrupt(run, 1)
    Path(talks[0]).write_bytes(wav_bytes(BLOCK, seed=9))
    _, events = perform(run)
    assert not any(isinstance(event, Resuming) for event in events)


def test_restart_forgets_what_was_done(talks, tmp_path):
    run = file_run(talks, tmp_path / "out")
    interrupt(run, 2)
    CountingEngine.windows = 0
    perform(replace(run, output=replace(run.output, overwrite=True)))
    assert CountingEngine.windows == 2 * BLOCKS


def test_transcripts_of_an_earlier_run_are_not_replaced(talks, tmp_path):
    perform(file_run(talks[:1], tmp_path / "out"))
    (tmp_path / "out" / DONE).unlink()
    with pytest.raises(UsageError, match="--restart"):
        perform(file_run(talks, tmp_path / "out"))


def test_what_can_be_read_only_once_needs_no_journal(tmp_path, monkeypatch):
    path = tmp_path / "talk.wav"
    path.write_bytes(wav_bytes(BLOCK))
    with path.open("rb") as file:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": file}))
        summary, _ = perform(file_run(["-"], tmp_path / "out", ("txt",)))
    assert summary.transcripts == 1
    assert not (tmp_path / "out" / RUN_FOLDER).exists()
