"""Sound between a track and a session."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from quest22.server.openai.realtime.webrtc.audio_queue import AudioBlock, AudioQueue
from quest22.server.openai.realtime.webrtc.track_clock import TICKS_HZ


def tone(value: int, seconds: float = 0.02, rate_hz: int = 48_000) -> np.ndarray:
    return np.full(round(seconds * rate_hz), value, np.int16)


async def taken(ring: AudioQueue) -> list[AudioBlock | str]:
    ring.close()
    found = []
    while (item := await ring.take()) is not None:
        found.append(item)
    return found


def run(ring: AudioQueue) -> tuple[np.ndarray, set[int]]:
    blocks = [each for each in asyncio.run(taken(ring)) if isinstance(each, AudioBlock)]
    return np.concatenate([each.samples for each in blocks]), {each.rate_hz for each in blocks}


def test_what_comes_in_goes_out() -> None:
    ring = AudioQueue()
    for value in range(100):
        ring.put(tone(value), 48_000)
    samples, rates = run(ring)
    assert samples.dtype == np.float32
    assert rates == {48_000}
    np.testing.assert_allclose(samples, np.repeat(np.arange(100), 960) / 32768)


@pytest.mark.parametrize("rate_hz", [8_000, 48_000])
def test_silence_has_its_length(rate_hz: int) -> None:
    ring = AudioQueue()
    ring.put(tone(7, rate_hz=rate_hz), rate_hz)
    ring.put_silence(TICKS_HZ * 3, rate_hz)
    ring.put_silence(TICKS_HZ // 2, rate_hz)
    ring.put(tone(8, rate_hz=rate_hz), rate_hz)
    samples, _ = run(ring)
    assert len(samples) == round(3.54 * rate_hz)
    assert np.count_nonzero(samples) == 2 * round(0.02 * rate_hz)


def test_the_oldest_sound_makes_room_and_times_stay() -> None:
    ring = AudioQueue(most_s=1.0)
    for value in range(1, 501):
        ring.put(tone(value), 48_000)
    assert ring.dropped_s == pytest.approx(9.0)
    samples, _ = run(ring)
    assert len(samples) == 480_000
    assert not samples[: 9 * 48_000].any()
    assert samples[9 * 48_000 :].all()


def test_silence_needs_no_room() -> None:
    ring = AudioQueue(most_s=1.0)
    ring.put(tone(1), 48_000)
    ring.put_silence(TICKS_HZ * 3600, 48_000)
    ring.put(tone(1), 48_000)
    assert ring.dropped_s == 0


def test_events_keep_their_place_and_are_never_dropped() -> None:
    ring = AudioQueue(most_s=1.0)
    for value in range(1, 201):
        ring.put(tone(value), 48_000)
        if value % 50 == 0:
            ring.put_event(str(value))
    place = {"": 0}
    heard = 0
    for item in asyncio.run(taken(ring)):
        if isinstance(item, str):
            place[item] = heard
        else:
            heard += len(item.samples)
    assert place == {"": 0, "50": 48_000, "100": 96_000, "150": 144_000, "200": 192_000}


def test_rates_may_change() -> None:
    ring = AudioQueue()
    ring.put(tone(1), 48_000)
    ring.put(tone(2, rate_hz=8_000), 8_000)
    assert [each.rate_hz for each in asyncio.run(taken(ring))] == [48_000, 8_000]


def test_it_waits_for_sound() -> None:
    async def later() -> int:
        ring = AudioQueue()
        asyncio.get_running_loop().call_later(0.01, ring.put, tone(1), 48_000)
        block = await ring.take()
        assert isinstance(block, AudioBlock)
        return len(block.samples)

    assert asyncio.run(later()) == 960
