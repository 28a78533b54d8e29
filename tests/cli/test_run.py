from __future__ import annotations

import pytest

from quest22.cli.exits import Exit
from quest22.cli.progress import RunInfo, SilentDisplay
from quest22.cli.run import RunStats, spoken_language, write_all
from quest22.errors import SinkError, SourceError
from quest22.metrics import Metrics
from tests.support.results import failure, transcript


class Results:
    """A run that gives results, then raises what it is told to."""

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

    def close(self):
        self.closed = True


def carried(results, sink, tally=None):
    return write_all(results, sink, SilentDisplay(RunInfo("test")), tally or RunStats())


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([transcript("a"), transcript("b")], Exit.DONE),
        ([transcript("a"), failure("b"), transcript("c")], Exit.SOME_FAILED),
        ([failure("a")], Exit.NOTHING_DONE),
        ([], Exit.DONE),
    ],
)
def test_results_are_written_in_order(results, code):
    run, sink = Results(*results), ListSink()
    assert carried(run, sink) is code
    assert sink.written == [result.key for result in results]
    assert (run.closed, sink.closed) == (True, True)


def test_an_interruption_keeps_what_was_written(capsys):
    run, sink = Results(transcript("a"), error=KeyboardInterrupt()), ListSink()
    assert carried(run, sink) is Exit.INTERRUPTED
    assert (sink.written, run.closed, sink.closed) == (["a"], True, True)
    assert "what was written stays (1 transcripts)" in capsys.readouterr().err


@pytest.mark.parametrize("error", [SinkError("disk is full"), SourceError("network is gone")])
def test_an_error_closes_everything(error):
    sink = ListSink("b", error)
    run = Results(transcript("a"), transcript("b"), transcript("c"))
    with pytest.raises(type(error)):
        carried(run, sink)
    assert (sink.written, run.closed, sink.closed) == (["a"], True, True)


def test_errors_are_scored_by_the_language_that_was_spoken():
    tally = RunStats()
    heard_wrong = transcript("b", "x", reference="да", columns={"language": "ru"})
    carried(Results(transcript("a", "Yes.", reference="yes"), heard_wrong), ListSink(), tally)
    assert {code: errors.rate for code, errors in tally.scores.by_language.items()} == {
        "en": 0.0,
        "ru": 1.0,
    }
    assert (tally.transcripts, tally.failures) == (2, 0)


def test_a_language_column_that_is_no_text_is_passed_over():
    assert spoken_language(transcript(columns={"language": 3})) == "en"
