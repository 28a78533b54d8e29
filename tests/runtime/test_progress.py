from __future__ import annotations

import pytest

from quest22.metrics import Metrics
from quest22.records import Clip, Origin, Partial
from quest22.runtime.ordered import OrderedDriver
from quest22.runtime.progress import ClipProgress, ProgressBoard
from tests.runtime.fakes import BlockStrategy, EchoEngine, audio


def followed(clips, batch_size=1, durations=()) -> list[ClipProgress]:
    told: list[ClipProgress] = []
    board = ProgressBoard(told.append)
    for key, duration_s in durations:
        board.note_duration(Clip(key, key, b"", Origin("test")), duration_s)
    driver = OrderedDriver(EchoEngine(batch_size), BlockStrategy(), Metrics(), progress=board)
    list(driver.run(clips))
    return told


def test_a_clip_tells_its_text_after_each_batch():
    told = followed([audio("a", [5, 6, 7])])
    texts = [each.partial.text for each in told]
    assert texts == ["5", "5 6", "5 6 7"][: len(texts)]
    assert len(texts) >= 2
    assert all(each.leading and each.name == "a" for each in told)


def test_only_the_first_open_clip_leads():
    told = followed([audio("a", [1, 2, 3]), audio("b", [4, 5, 6])], batch_size=4)
    assert {(each.name, each.leading) for each in told} <= {("a", True), ("b", True), ("b", False)}
    assert any(each.name == "b" for each in told)


@pytest.mark.parametrize(("stated_s", "position_s"), [(100.0, 1 / 16_000), (0.00001, 0.00001)])
def test_a_position_lies_within_the_stated_duration(stated_s, position_s):
    told = followed([audio("a", [5, 6, 7])], durations=[("a", stated_s), ("b", 7.0)])
    assert told[0].duration_s == stated_s
    assert told[0].position_s == pytest.approx(position_s)


def test_an_unknown_duration():
    assert followed([audio("a", [5, 6])])[0].duration_s is None


def test_what_has_left_is_forgotten():
    board = ProgressBoard(lambda _: None)
    clip = Clip("a", "a", b"", Origin("test"))
    board.note_duration(clip, 3.0)
    board.forget("a")
    board.forget("a")
    board.tell([], leading=None)
    assert Partial().text == ""
