"""Runs that are cut anywhere go on with the batches they would have had; what is kept for it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quest22.errors import ClipError, EngineError, SourceError
from quest22.metrics import Metrics
from quest22.records import (
    Audio,
    Clip,
    DecodingOptions,
    Failure,
    Hypothesis,
    Origin,
    ReplayedBatch,
    Samples,
    Transcript,
    Window,
    WindowResult,
)
from quest22.runs.replay import ReplayLog, restored
from quest22.runtime.ordered import OrderedDriver, Result

POISON = -1.0


class PowerCut(BaseException):
    """The process ends here."""


class MixingEngine:
    """What it hears in a window depends on all windows of the batch, and on their order."""

    batches_in_flight = 1

    def __init__(self, batch_size: int, lives: int | None = None) -> None:
        self.batch_size = batch_size
        self.lives = lives
        self.computed = 0

    def same_in_any_batch(self, windows: Sequence[Window]) -> bool:
        return False

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        if self.lives is not None and self.computed >= self.lives:
            raise PowerCut
        if any(window.samples[0] == POISON for window in windows):
            raise EngineError("poisoned window")
        self.computed += 1
        told = hashlib.sha256(repr([(w.samples[0], w.skip_frames) for w in windows]).encode())
        seen = [told.copy() for _ in windows]
        for place, each in enumerate(seen):
            each.update(bytes([place]))
        digests = [each.digest() for each in seen]
        return [Hypothesis(tuple(each[:2]), "en", 1.0, -each[2] / 7, 0.1) for each in digests]


class PipelinedEngine(MixingEngine):
    """The same, with two batches in flight."""

    batches_in_flight = 2

    def __init__(self, batch_size: int, lives: int | None = None) -> None:
        super().__init__(batch_size, lives)
        self.running: list[Sequence[Window]] = []

    def begin(self, windows: Sequence[Window]) -> Sequence[Window]:
        assert len(self.running) < self.batches_in_flight
        self.running.append(windows)
        return windows

    def finish(self, ticket: Sequence[Window]) -> list[Hypothesis]:
        self.abandon(ticket)
        return self.run(ticket)

    def abandon(self, ticket: Sequence[Window]) -> None:
        self.running = [each for each in self.running if each is not ticket]


class RepeatingLongForm:
    """Two windows a block; some are heard again, as their hypotheses have it; one way or another.

    ``sequential``: the next block is taken when nothing is awaited.
    """

    def __init__(self, clip: Clip, sequential: bool) -> None:
        self.clip = clip
        self.sequential = sequential
        self.awaited = self.given = 0
        self.flushed = False
        self.heard: list[tuple[int, int, Hypothesis]] = []

    def feed(self, samples: Samples) -> list[Window]:
        fresh = [Window(samples, 0.0, DecodingOptions(), self.given + n) for n in range(2)]
        self.given += 2
        self.awaited += 2
        return fresh

    def flush(self) -> list[Window]:
        self.flushed = True
        return []

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        self.heard.append((window.index, window.skip_frames, hypothesis))
        if hypothesis.tokens[0] % 3 == 0 and window.skip_frames < 3:
            return [replace(window, skip_frames=window.skip_frames + 1)]
        self.awaited -= 1
        return []

    @property
    def wants_audio(self) -> bool:
        return not (self.sequential and self.awaited)

    @property
    def finished(self) -> bool:
        return self.flushed and not self.awaited

    def close(self) -> Transcript:
        text = repr(sorted(self.heard, key=lambda each: each[:2]))
        return Transcript(self.clip.key, self.clip.key, text, "en", 1.0, 1.0, (), self.clip.origin)


class Strategy:
    def __init__(self, sequential: bool) -> None:
        self.sequential = sequential

    def open(self, clip: Clip) -> RepeatingLongForm:
        return RepeatingLongForm(clip, self.sequential)


def audio(key: int, values: Sequence[float | None]) -> Audio | Failure:
    if values and values[0] == 9:
        return Failure(str(key), str(key), "source", "gone", Origin("test"))

    def blocks() -> Iterator[Samples]:
        for value in values:
            if value is None:
                raise ClipError("audio", "broken block")
            yield np.array([value], np.float32)

    return Audio(Clip(str(key), str(key), b"", Origin("test")), blocks())


def life(
    clips: Sequence[Sequence[float | None]],
    driver: OrderedDriver,
    done: list[Result],
    marks: Sequence[int] = (),
) -> bool:
    """Run until the end or a power cut; of the results only those up to a mark stay."""
    arrivals = (audio(n, values) for n, values in list(enumerate(clips))[len(done) :])
    fresh: list[Result] = []
    try:
        for result in driver.run(arrivals):
            fresh.append(result)
            if len(done) + len(fresh) in marks:
                done.extend(fresh)
                fresh.clear()
    except PowerCut:
        return False
    done.extend(fresh)
    return True


SOUND = st.one_of(st.integers(0, 9).map(float), st.none(), st.just(POISON))


@given(
    clips=st.lists(st.lists(SOUND, max_size=5), max_size=10),
    batch_size=st.integers(1, 5),
    sequential=st.booleans(),
    lives=st.lists(st.integers(0, 4), max_size=6),
    marks=st.sets(st.integers(1, 10)),
)
@example([[0.0], [0.0, 0.0], [0.0, 0.0], [], [0.0]], 3, True, [3], set())  # ends without a window
def test_a_run_that_is_cut_again_and_again_gives_what_a_whole_one_gives(
    clips: list[list[float | None]],
    batch_size: int,
    sequential: bool,
    lives: list[int],
    marks: set[int],
) -> None:
    whole: list[Result] = []
    engine = MixingEngine(batch_size)
    assert life(clips, OrderedDriver(engine, Strategy(sequential), Metrics(), 4), whole)
    done: list[Result] = []
    computed = 0
    with tempfile.TemporaryDirectory() as folder:
        for most in (*lives, None):
            log = ReplayLog(Path(folder) / "log", len(done))
            cut = MixingEngine(batch_size, most)
            driver = OrderedDriver(cut, Strategy(sequential), Metrics(), 4, log)
            ended = life(clips, driver, done, sorted(marks))
            computed += cut.computed
            log.close()
            if ended:
                break
    assert done == whole
    if not any(POISON in values for values in clips):  # which has its batch run window by window
        assert computed == engine.computed  # nothing that was heard is computed again


@given(
    clips=st.lists(st.lists(SOUND, max_size=5), max_size=10),
    batch_size=st.integers(1, 5),
    sequential=st.booleans(),
    lives=st.lists(st.integers(0, 4), max_size=6),
    marks=st.sets(st.integers(1, 10)),
)
def test_with_two_batches_in_flight_it_is_so_too(
    clips: list[list[float | None]],
    batch_size: int,
    sequential: bool,
    lives: list[int],
    marks: set[int],
) -> None:
    whole: list[Result] = []
    engine = PipelinedEngine(batch_size)
    assert life(clips, OrderedDriver(engine, Strategy(sequential), Metrics(), 4), whole)
    assert not engine.running
    done: list[Result] = []
    computed = 0
    with tempfile.TemporaryDirectory() as folder:
        for most in (*lives, None):
            log = ReplayLog(Path(folder) / "log", len(done))
            cut = PipelinedEngine(batch_size, most)
            driver = OrderedDriver(cut, Strategy(sequential), Metrics(), 4, log)
            ended = life(clips, driver, done, sorted(marks))
            computed += cut.computed
            log.close()
            if ended:
                break
    assert done == whole
    if not any(POISON in values for values in clips):  # which has its batch run window by window
        assert computed == engine.computed  # nothing that had finished is computed again


@pytest.mark.parametrize("sequential", [True, False])
def test_a_batch_begins_before_the_results_of_the_one_before_it(sequential: bool) -> None:
    engine = PipelinedEngine(2)
    results: list[Result] = []
    clips = [[float(n)] for n in range(8)]
    assert life(clips, OrderedDriver(engine, Strategy(sequential), Metrics()), results)
    alone = MixingEngine(2)
    others: list[Result] = []
    assert life(clips, OrderedDriver(alone, Strategy(sequential), Metrics()), others)
    assert len(results) == len(others) == len(clips)
    assert results != others  # windows that are run again come a batch later


def test_a_driver_that_is_left_leaves_no_batch_in_the_engine() -> None:
    engine = PipelinedEngine(2)
    arrivals = (audio(n, [float(n)]) for n in range(8))
    results = OrderedDriver(engine, Strategy(False), Metrics()).run(arrivals)
    next(results)
    assert engine.running
    results.close()
    assert not engine.running


def test_without_what_was_heard_the_test_above_would_fail(tmp_path: Path) -> None:
    clips = [[1.0, 2.0, 3.0], [4.0], [5.0, 6.0]] * 3
    whole: list[Result] = []
    life(clips, OrderedDriver(MixingEngine(4), Strategy(False), Metrics()), whole)
    done: list[Result] = []
    life(clips, OrderedDriver(MixingEngine(4, 2), Strategy(False), Metrics()), done, range(10))
    life(clips, OrderedDriver(MixingEngine(4), Strategy(False), Metrics()), done)
    assert len(done) == len(whole)
    assert done != whole


def test_a_source_that_breaks_leaves_half_full_batches_for_another_time(tmp_path: Path) -> None:
    def arrivals() -> Iterator[Audio | Failure]:
        yield from (audio(n, [1.0, float(n)]) for n in range(3))
        raise SourceError("the network is gone")

    engine = MixingEngine(8)
    results: list[Result] = []
    with (
        closing(ReplayLog(tmp_path / "log")) as log,
        pytest.raises(SourceError, match="the network is gone"),
    ):
        results.extend(
            OrderedDriver(engine, Strategy(False), Metrics(), replay=log).run(arrivals())
        )
    assert engine.computed == 1  # of twelve windows


def test_another_sound_in_its_place_is_heard_anew(tmp_path: Path) -> None:
    done: list[Result] = []
    with closing(ReplayLog(tmp_path / "log")) as log:
        cut = OrderedDriver(MixingEngine(2, 1), Strategy(False), Metrics(), replay=log)
        assert not life([[1.0, 2.0]], cut, done)
    other: list[Result] = []
    with closing(ReplayLog(tmp_path / "log")) as log:
        again = OrderedDriver(MixingEngine(2), Strategy(False), Metrics(), replay=log)
        assert life([[7.0, 2.0]], again, other)
    assert life([[7.0, 2.0]], OrderedDriver(MixingEngine(2), Strategy(False), Metrics()), done)
    assert other == done


@given(
    st.builds(
        Hypothesis,
        tokens=st.lists(st.integers(0, 51865)).map(tuple),
        languages=st.lists(st.tuples(st.text(), st.floats()), max_size=3).map(tuple),
    )
)
def test_a_hypothesis_is_kept_to_the_last_bit(hypothesis: Hypothesis) -> None:
    with tempfile.TemporaryDirectory() as folder:
        turn = ReplayedBatch(
            (WindowResult(7, hypothesis), WindowResult(8, None, "why")), exhausted=True
        )
        with closing(ReplayLog(Path(folder) / "log")) as log:
            log.note([(3, "é\n", turn)])
        kept = ReplayLog(Path(folder) / "log").recall(3, "é\n")
    assert repr(kept) == repr([turn])  # NaN is NaN here


def test_numbers_of_numpy_are_kept() -> None:
    kept = json.loads(json.dumps([np.float32(0.1).item(), (1, 2)]))
    assert restored(tuple[float, tuple[int, ...]], kept) == (np.float32(0.1), (1, 2))


def turn(number: int) -> ReplayedBatch:
    return ReplayedBatch(
        (WindowResult(number, Hypothesis((number,), "en", 1.0, 0.0, 0.0)),), exhausted=False
    )


def test_a_line_that_was_torn_is_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = ReplayLog(path)
    for number in range(3):
        log.note([(number, "k", turn(number))])
    log.close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0" * 40 + b"\n" + lines[2])
    log = ReplayLog(path)
    assert log.clips == range(1)
    log.note([(1, "k", turn(5))])
    log.close()
    assert ReplayLog(path).recall(1, "k") == [turn(5)]
    path.write_bytes(lines[0] + lines[1][:-9])
    assert ReplayLog(path).clips == range(1)


def test_a_log_of_an_older_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(ReplayLog(path)) as log:
        log.note([(0, "k", turn(3))])
    ((number, key, noted),) = json.loads(path.read_text())
    older = {"answers": noted["results"], "exhausted": noted["exhausted"]}
    path.write_text(json.dumps([[number, key, older]]) + "\n")
    assert ReplayLog(path).recall(0, "k") == [turn(3)]


def test_what_is_published_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quest22.runs.replay.SLACK_BYTES", 2000)
    log = ReplayLog(tmp_path / "log")
    sizes = []
    for number in range(200):
        log.note([(number, "k", turn(number)), (number + 1, "k", turn(number))])
        log.forget(number)
        sizes.append((tmp_path / "log").stat().st_size)
    assert max(sizes) < 20 * sizes[0]  # of 200 batches
    log.close()
    again = ReplayLog(tmp_path / "log", 199)
    assert again.clips == range(199, 201)
    assert again.recall(200, "k") == [turn(199)]
    assert again.recall(199, "other") == []
