from __future__ import annotations

import threading

import numpy as np
import pytest

from quest22.errors import ClipError, UsageError
from quest22.runtime.fed_sound import FedSound
from tests.runtime.fakes import block


def test_blocks_come_out_in_order_and_then_the_end() -> None:
    sound = FedSound(1.0)
    assert not sound.available
    sound.feed(block(1, 2))
    sound.feed(block(3))
    assert sound.waiting_s == 3 / 16_000
    sound.flush()
    assert sound.available
    taken = [sound.next_block(), sound.next_block()]
    assert [each.tolist() for each in taken if each is not None] == [[1, 2], [3]]
    assert (sound.next_block(), sound.waiting_s) == (None, 0.0)


def test_a_block_is_the_feeders_own_no_longer() -> None:
    sound, buffer = FedSound(1.0), block(1)
    sound.feed(buffer)
    buffer[0] = 2
    assert sound.next_block() == block(1)


def test_an_error_comes_where_the_sound_breaks_off() -> None:
    sound = FedSound(1.0)
    sound.feed(block(1))
    sound.flush(ClipError("audio", "broken block"))
    assert sound.next_block() == block(1)
    with pytest.raises(ClipError, match="broken block"):
        sound.next_block()


def test_the_feeder_waits_for_room() -> None:
    sound, fed = FedSound(1 / 16_000), threading.Event()
    sound.feed(block(1))
    assert not sound.has_room

    def feed() -> None:
        sound.feed(block(2))
        fed.set()

    threading.Thread(target=feed, daemon=True).start()
    assert not fed.is_set()
    assert sound.next_block() == block(1)
    assert fed.wait(30)
    assert sound.next_block() == block(2)


def test_what_is_stopped_takes_no_more_and_holds_nothing() -> None:
    sound = FedSound(1 / 16_000)
    sound.feed(block(1))
    sound.stop()
    assert not sound.feed(block(2))
    sound.flush()
    assert (sound.available, sound.waiting_s, sound.ended) == (False, 0.0, True)
    with pytest.raises(ClipError, match="cancelled"):  # and not: the sound has ended
        sound.next_block()


def test_both_sides_are_told() -> None:
    told: list[str] = []
    sound = FedSound(1.0, lambda: told.append("fed"), lambda: told.append("taken"))
    sound.feed(block(1))
    sound.next_block()
    sound.flush()
    sound.stop()
    assert told == ["fed", "taken", "fed", "taken"]


@pytest.mark.parametrize("samples", [np.zeros((2, 2), np.float32), np.zeros(2, np.int16)])
def test_only_mono_float32_is_sound(samples: np.ndarray) -> None:
    with pytest.raises(UsageError, match="expected mono float32"):
        FedSound(1.0).feed(samples)


def test_nothing_comes_after_the_end() -> None:
    sound = FedSound(1.0)
    sound.flush()
    with pytest.raises(UsageError, match="fed after flush"):
        sound.feed(block(1))
