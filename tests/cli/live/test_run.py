"""How sessions run and end: sound that stops, breaks off, stalls; Ctrl-C; a reader that goes."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from quest22.capture.stop import Stop
from quest22.cli.exits import Exit
from quest22.cli.live import run as live_run
from quest22.cli.live.run import LiveRun
from quest22.cli.live.speaker import Speaker
from quest22.errors import ClipError, UsageError
from quest22.settings import CaptionSettings
from quest22.sink.live_files import LiveFiles, LiveOutput, numbered
from tests.cli.live.scripted import BLOCK, Session, Shown, Sounds
from tests.support.systems import posix_only


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_run, "TICK_S", 0.001)


def no_files(*_: object) -> LiveFiles:
    return LiveFiles((), CaptionSettings())


def ran(source: Any, view: Any = None, **changes: Any) -> tuple[Exit, Shown, LiveRun]:
    shown = view or Shown()
    values = {"open_session": Session, "open_files": no_files, "stop": Stop()} | changes
    run = LiveRun(source, view=shown, **values)
    return run.run("waiting"), shown, run


def test_a_session_from_its_first_sound_to_its_last_text() -> None:
    code, shown, run = ran(Sounds(talk=[BLOCK] * 15))
    assert code is Exit.DONE
    assert shown.finals == [("talk", "15 blocks.")]
    assert shown.states[-1] == "closed"
    assert run.summary() == "0:02 of sound, 1 segment"


def test_after_the_last_sound_nobody_is_waited_for() -> None:
    shown = Shown()

    def is_shown() -> None:
        while "" not in shown.states:
            time.sleep(0.001)

    ran(Sounds(talk=[BLOCK, is_shown]), shown)
    assert "waiting" not in shown.states[shown.states.index("") :]


def test_clients_side_by_side_have_files_of_their_own(tmp_path: Path) -> None:
    both = threading.Barrier(2)
    outputs = [LiveOutput(tmp_path / "talk.txt", "txt")]

    def open_files(_: Speaker, number: int) -> LiveFiles:
        return LiveFiles(numbered(outputs, number, taken=True), CaptionSettings())

    source = Sounds(a=[both.wait, BLOCK], b=[both.wait, BLOCK, BLOCK])
    code, shown, _ = ran(source, open_files=open_files)
    assert code is Exit.DONE
    assert sorted(shown.finals) == [("a", "1 blocks."), ("b", "2 blocks.")]
    texts = [(tmp_path / name).read_text() for name in ("talk.txt", "talk-2.txt")]
    assert sorted(texts) == ["1 blocks.\n", "2 blocks.\n"]


def test_sound_that_breaks_off_keeps_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    broken = ClipError("source", "the connection broke")
    code, shown, _ = ran(Sounds(talk=[BLOCK, broken]))
    assert code is Exit.SOME_FAILED
    assert shown.finals == [("talk", "1 blocks.")]
    said = capsys.readouterr().err
    assert said == "quest22: talk: the connection broke; what was said until then is kept\n"


def test_sound_that_is_none_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def never(*_: object) -> Any:
        raise AssertionError

    source = Sounds(talk=[ClipError("audio", "nothing came")])
    code, shown, _ = ran(source, open_session=never, open_files=never)
    assert code is Exit.NOTHING_DONE
    assert shown.finals == []
    assert capsys.readouterr().err == "quest22: talk: nothing came\n"


def test_a_client_with_garbage_does_not_disturb_another() -> None:
    code, shown, _ = ran(Sounds(bad=[ValueError("what?")], good=[BLOCK]))
    assert code is Exit.SOME_FAILED
    assert ("good", "1 blocks.") in shown.finals


def test_a_session_that_needs_no_more_sound_is_fed_none() -> None:
    _, shown, _ = ran(Sounds(talk=[BLOCK] * 9), open_session=lambda: Session(room=2))
    assert shown.finals == [("talk", "2 blocks.")]


def test_a_session_that_fails_ends_alone(capsys: pytest.CaptureFixture[str]) -> None:
    opened: list[Session] = []
    failed, released, left = threading.Event(), threading.Event(), threading.Event()

    def first_fails() -> Session:
        opened.append(Session())
        if len(opened) == 1:
            opened[0].fail(ClipError("engine", "out of memory"))
            failed.set()
        return opened[-1]

    bad = [BLOCK, released.wait, left.set, ValueError("not told")]
    source = Sounds(bad=bad, good=[failed.wait, BLOCK, BLOCK])
    code, shown, _ = ran(source, open_session=first_fails)
    assert code is Exit.SOME_FAILED
    assert shown.finals == [("good", "2 blocks.")]
    released.set()
    assert left.wait(30)
    said = capsys.readouterr().err
    assert said == "quest22: bad: out of memory; what was said until then is kept\n"


def test_files_that_cannot_be_written_end_the_program() -> None:
    def refused(*_: object) -> LiveFiles:
        raise UsageError("talk.srt exists")

    with pytest.raises(UsageError, match=r"talk\.srt exists"):
        ran(Sounds(talk=[BLOCK]), open_files=refused)


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_what_was_said(number: int) -> None:
    stop = Stop()

    def interrupt() -> None:
        os.kill(os.getpid(), number)
        assert stop.wait(30)

    handler = signal.getsignal(number)
    code, shown, run = ran(Sounds(talk=[BLOCK, BLOCK, interrupt]), stop=stop)
    assert code is Exit.INTERRUPTED
    assert shown.finals == [("talk", "2 blocks.")]
    assert run.summary() == "0:00 of sound, 1 segment"
    assert signal.getsignal(number) is handler


@posix_only
def test_after_ctrl_c_sound_that_has_not_come_is_no_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stop = Stop()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(30)

    code, _, _ = ran(Sounds(talk=[interrupt, ClipError("audio", "nothing came")]), stop=stop)
    assert code is Exit.INTERRUPTED
    assert capsys.readouterr().err == ""


@posix_only
def test_a_second_ctrl_c_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, released = Stop(), threading.Event()

    def interrupt_twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(30)
        os.kill(os.getpid(), signal.SIGINT)
        released.wait(30)

    shown = Shown()
    with pytest.raises(KeyboardInterrupt):
        ran(Sounds(talk=[interrupt_twice]), shown, stop=stop)
    assert shown.states[-1] == "closed"
    released.set()


@posix_only
@pytest.mark.parametrize("before", [[], [BLOCK]])
def test_a_source_that_does_not_hear_ctrl_c_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], before: list[Any]
) -> None:
    monkeypatch.setattr(live_run, "LEAVE_AFTER_S", 0.0)
    released, left = threading.Event(), threading.Event()

    def deaf() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        released.wait(30)
        left.set()

    code, shown, _ = ran(Sounds(talk=[*before, deaf, BLOCK]))
    assert code is Exit.INTERRUPTED
    assert shown.finals == [("talk", "1 blocks.")] * len(before)
    released.set()
    assert left.wait(30)
    assert capsys.readouterr().err == ""


def test_a_reader_that_goes_ends_all_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live_run, "drop_standard_output", lambda: None)
    stop = Stop()

    def gone() -> None:
        raise BrokenPipeError

    output = LiveOutput(tmp_path / "talk.txt", "txt")
    code, *_ = ran(
        Sounds(talk=[BLOCK]),
        Shown(gone),
        stop=stop,
        open_files=lambda *_: LiveFiles([output], CaptionSettings()),
    )
    assert code is Exit.READER_GONE
    assert stop.is_set
    assert output.path.read_text() == "1 blocks.\n"
    assert capsys.readouterr().err == ""


def test_a_source_that_stalls_is_told_once_and_when_it_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    speaker = Speaker(1, "talk", clock=lambda: now)
    run = LiveRun(Sounds(), Session, no_files, Shown(), Stop())
    speaker.waits()
    for _ in range(12):
        run.warn(speaker)
        now += 1.0
    assert capsys.readouterr().err == (
        "quest22: no sound has come from talk for 5 s: still listening\n"
    )
    speaker.hears(BLOCK)
    run.warn(speaker)
    run.warn(speaker)
    assert capsys.readouterr().err == "quest22: sound comes from talk again\n"


def test_waiting_is_counted_from_the_last_question() -> None:
    now = 5.0
    speaker = Speaker(1, "talk", clock=lambda: now)
    assert speaker.waited_s == 0
    speaker.waits()
    now += 2.5
    assert speaker.waited_s == 2.5
    speaker.hears(BLOCK)
    assert speaker.waited_s == 0
    assert speaker.heard_s == 0.1
    assert speaker.levels_db[-1] == pytest.approx(-12.04, abs=0.01)
