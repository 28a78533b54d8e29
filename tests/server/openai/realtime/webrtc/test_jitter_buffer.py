"""Packets in their order."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from quest22.server.openai.realtime.webrtc.jitter_buffer import MAX_REORDERED, JitterBuffer


@dataclass(frozen=True)
class FakePacket:
    sequence_number: int


def given(numbers: list[int]) -> list[int]:
    """What comes out of packets with these numbers, and two more at the end."""
    order = JitterBuffer(lambda packet: packet.sequence_number)
    found = [order.add(FakePacket(number % 0x10000))[1] for number in numbers]
    return [each for each in found if each is not None]


@pytest.mark.parametrize("first", [0, 1, 700, 65_530, 65_535, 32_768])
@pytest.mark.parametrize(
    ("came", "goes"),
    [
        pytest.param([0, 1, 2, 3, 4, 5], [0, 1, 2, 3], id="in order"),
        pytest.param([0, 2, 1, 3, 5, 4], [0, 1, 2, 3], id="overtaken"),
        pytest.param([2, 1, 0, 3, 4, 5], [0, 1, 2, 3], id="overtaken at the beginning"),
        pytest.param([0, 1, 3, 4, 7, 8, 9], [0, 1, 3, 4, 7], id="lost"),
        pytest.param([0, 0, 1, 1, 2, 2, 3, 4, 1], [0, 1, 2], id="twice"),
        pytest.param([0, 1, 2, 3, 4, 900, 5, 901, 902], [0, 1, 2, 3, 4, 5, 900], id="a long gap"),
    ],
)
def test_order(first: int, came: list[int], goes: list[int]) -> None:
    assert given([first + each for each in came]) == [(first + each) % 0x10000 for each in goes]


def test_a_sender_may_begin_anew() -> None:
    numbers = [*range(100), *range(30_000, 30_100), *range(5)]
    found = given(numbers)
    assert found == [
        *range(100 - MAX_REORDERED),
        *range(30_000, 30_100 - MAX_REORDERED),
        *range(5 - MAX_REORDERED),
    ]


def test_numbers_may_wrap_often() -> None:
    numbers = list(range(200_000))
    assert given(numbers) == [each % 0x10000 for each in numbers[:-MAX_REORDERED]]
