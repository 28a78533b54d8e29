"""Servers that are silent are named, and those that speak are not."""

from __future__ import annotations

import logging

import pytest

from quest22.source.io.waiting import WaitingBoard


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_silence_is_announced_at_growing_intervals(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    board = WaitingBoard(clock, tick_s=60.0)
    with caplog.at_level(logging.WARNING, "quest22"), board.waiting("h"):
        for second in range(1, 45):
            clock.now_s = second
            board.announce()
        told = [record.getMessage() for record in caplog.records]
        assert told == [
            f"waiting for h: nothing has come for {seconds} s" for seconds in (10, 20, 40)
        ]
        board.heard_from("h")
        clock.now_s = 50
        board.announce()
        assert len(caplog.records) == 3
        clock.now_s = 54.5
        board.announce()
        assert len(caplog.records) == 4


def test_a_server_that_is_not_waited_for_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    board = WaitingBoard(clock, tick_s=60.0)
    with caplog.at_level(logging.WARNING, "quest22"):
        with board.waiting("h"):
            pass
        clock.now_s = 100.0
        board.announce()
    assert not caplog.records
