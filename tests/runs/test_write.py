from __future__ import annotations

from pathlib import Path

import pytest

from quest22.errors import SinkError, SourceError, TooManyFailuresError
from quest22.metrics import Metrics
from quest22.records import Clip, Origin
from quest22.runs.events import (
    ModelLoaded,
    ModelLoading,
    ResultReady,
    ResultsEnded,
    ResultsStarted,
    WritingEnded,
)
from quest22.runs.summary import FailureBudget, RunStats
from quest22.runs.write import WriteOptions, transcribe_into, write_results
from quest22.settings import EngineSettings, PipelineSettings
from tests.support.corpora import wav_bytes
from tests.support.results import failure, transcript
from tests.torture.worker import DigestPipeline

DIGEST = PipelineSettings(EngineSettings("digest"))


class Results:
    """A run that gives results, then raises an error."""

    total = None

    def __init__(self, *results, error=None):
        self.metrics = Metrics()
        self.closed = False
        self._results = results
        self._error = error

    def __iter__(self):
        yield from self._results
        if self._error is not None:
            raise self._error

    def close(self):
        self.closed = True


class ListSink:
    """A sink that remembers, and raises at one clip."""

    def __init__(self, bad="", error=None):
        self.written = []
        self.closed = False
        self._bad = bad
        self._error = error

    def write(self, result):
        if result.key == self._bad:
            raise self._error
        self.written.append(result.key)

    def publish(self):
        return {}

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("results", "counts"),
    [
        ([transcript("a"), transcript("b")], (2, 0)),
        ([transcript("a"), failure("b"), transcript("c")], (2, 1)),
        ([failure("a")], (0, 1)),
        ([], (0, 0)),
    ],
)
def test_results_are_written_in_order(results, counts):
    run, sink = Results(*results), ListSink()
    stats = write_results(run, sink)
    assert (stats.transcripts, stats.failures) == counts
    assert sink.written == [result.key for result in results]
    assert (run.closed, sink.closed) == (True, True)


def test_events_come_in_order():
    events = []
    results = [transcript("a"), failure("b")]
    run = Results(*results)
    stats = write_results(run, ListSink(), events.append, WriteOptions(total=9))
    assert events == [
        ResultsStarted(run.metrics, 9),
        *(ResultReady(result) for result in results),
        ResultsEnded(),
        WritingEnded(stats, run.metrics, None),
    ]


def test_a_source_that_knows_its_size_goes_first():
    events = []
    run = Results(transcript("a"))
    run.total = 1
    write_results(run, ListSink(), events.append, WriteOptions(total=9))
    assert events[0].total == 1


def test_an_interruption_keeps_what_was_written():
    events = []
    run, sink = Results(transcript("a"), error=KeyboardInterrupt()), ListSink()
    with pytest.raises(KeyboardInterrupt):
        write_results(run, sink, events.append)
    assert (sink.written, run.closed, sink.closed) == (["a"], True, True)
    assert events[-1].stats.transcripts == 1
    assert isinstance(events[-1].error, KeyboardInterrupt)


@pytest.mark.parametrize("error", [SinkError("disk is full"), SourceError("network is gone")])
def test_an_error_closes_everything(error):
    events = []
    sink = ListSink("b", error)
    run = Results(transcript("a"), transcript("b"), transcript("c"))
    with pytest.raises(type(error)):
        write_results(run, sink, events.append)
    assert (sink.written, run.closed, sink.closed) == (["a"], True, True)
    assert [type(event) for event in events[-2:]] == [ResultsEnded, WritingEnded]
    assert events[-1].error is error


def test_a_failure_too_many_is_not_written():
    sink = ListSink()
    run = Results(failure("a"), transcript("b"), failure("c"))
    with pytest.raises(TooManyFailuresError, match="more than 1 clips have failed"):
        write_results(run, sink, options=WriteOptions(budget=FailureBudget(1)))
    assert sink.written == ["a", "b"]


def test_stats_are_added_to():
    stats = RunStats(transcripts=2)
    write_results(Results(transcript("a")), ListSink(), options=WriteOptions(stats=stats))
    assert stats.transcripts == 3


def test_clips_are_transcribed_into_any_sink(tmp_path: Path):
    """What a program does that has clips and a sink of its own."""
    clips = [Clip("a", "a", wav_bytes(), Origin("mine")), Clip("b", "b", b"", Origin("mine"))]
    events, sink = [], ListSink()
    summary = transcribe_into(
        lambda: sink, lambda _: clips, DIGEST, events.append, load=DigestPipeline
    )
    assert sink.written == ["a", "b"]
    assert (summary.transcripts, summary.failures, summary.finished) == (1, 1, True)
    assert summary.audio_s > 0
    assert [type(event) for event in events[:2]] == [ModelLoading, ModelLoaded]
