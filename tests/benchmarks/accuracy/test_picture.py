from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.accuracy.picture import AREA, Dot, Panel, draw, place_labels, ticks

FAST, SLOW = Dot("fast & loose", 40, 14.0, is_ours=True), Dot("slow", 4, 13.0, is_ours=False)
CIRCLE, TEXT = "{http://www.w3.org/2000/svg}circle", "{http://www.w3.org/2000/svg}text"


def test_faster_is_to_the_right_and_more_errors_are_above() -> None:
    picture = ElementTree.fromstring(draw([Panel("Long", (FAST, SLOW))]))
    fast, slow = picture.iter(CIRCLE)
    assert fast.attrib["class"] == "ours"
    assert float(fast.attrib["cx"]) > float(slow.attrib["cx"])
    assert float(fast.attrib["cy"]) < float(slow.attrib["cy"])
    texts = {each.text for each in picture.iter(TEXT)}
    assert {"Long", "fast & loose", "slow", "10", "13.4 %"} <= texts


def test_panels_without_dots_are_left_out() -> None:
    assert draw([Panel("Long", (FAST,)), Panel("Short", ())]).count("<circle") == 1


@given(
    st.lists(
        st.builds(Dot, st.just("x"), st.floats(0.01, 1e4), st.floats(0, 200), st.booleans()),
        min_size=1,
        max_size=20,
    )
)
def test_every_dot_is_within_the_area(dots: list[Dot]) -> None:
    picture = ElementTree.fromstring(draw([Panel("Long", tuple(dots))]))
    for circle in picture.iter(CIRCLE):
        assert AREA.left <= float(circle.attrib["cx"]) <= AREA.right
        assert AREA.top <= float(circle.attrib["cy"]) <= AREA.bottom


def test_labels_that_are_close_do_not_cover_one_another() -> None:
    places = [(400.0, 200.0), (404.0, 204.0), (408.0, 199.0), (700.0, 60.0)]
    boxes = place_labels(places, ["a long label of a system"] * 4)
    for number, box in enumerate(boxes):
        assert box.right <= AREA.right + 24
        assert all(box.overlap(other) == 0 for other in boxes[:number])


@pytest.mark.parametrize(
    ("low", "high", "logarithmic", "expected"),
    [
        (12.1, 15.2, False, [12.0, 13.0, 14.0, 15.0]),
        (0.0, 0.0, False, [0.0]),
        (3.0, 42.0, True, [3, 5, 7, 10, 20, 30]),
    ],
)
def test_ticks_are_round(low: float, high: float, logarithmic: bool, expected: list[float]) -> None:
    assert ticks(low, high, logarithmic) == expected
