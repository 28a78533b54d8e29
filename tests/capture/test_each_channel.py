from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from quest22.capture.choose import open_source
from quest22.capture.each_channel import channel_sounds
from quest22.capture.settings import CaptureSettings
from quest22.capture.sound_source import LiveSound
from quest22.capture.stop import Stop
from quest22.errors import ClipError, UsageError
from quest22.records import Samples
from quest22.settings import AudioSettings
from tests.capture.streams import nobody

EACH = AudioSettings(channel="each")


def heard(sounds: list[LiveSound]) -> list[Samples]:
    """What comes of sounds that are heard side by side."""
    found: list[list[Samples]] = [[] for _ in sounds]
    threads = [
        threading.Thread(target=lambda each, into: into.extend(each.blocks), args=pair)
        for pair in zip(sounds, found, strict=True)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    return [np.concatenate(blocks) for blocks in found]


def test_both_sides_of_a_call(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    sides = np.stack([np.full(16_000 * 21, 0.5), np.full(16_000 * 21, -0.25)], axis=1)
    soundfile.write(path, sides, 16_000, subtype="FLOAT")
    settings = CaptureSettings(str(path), pace="fast", audio=EACH)
    sounds = list(open_source(settings, Stop(), nobody()).sounds())
    assert [(each.name, each.channel) for each in sounds] == [("[LEFT]", 0), ("[RIGHT]", 1)]
    for sound, side in zip(heard(sounds), sides.T, strict=True):
        np.testing.assert_allclose(sound, side, atol=1e-6)


def test_a_channel_that_is_gone_is_silent_and_a_new_one_is_left_out() -> None:
    pieces = [(16_000, np.full((count, 100), 0.5, np.float32)) for count in (2, 1, 3)]
    sounds = heard(list(channel_sounds(pieces, lambda blocks: blocks)))
    np.testing.assert_array_equal(sounds[0], np.full(300, 0.5))
    np.testing.assert_array_equal(sounds[1], [*[0.5] * 100, *[0.0] * 100, *[0.5] * 100])


def test_what_breaks_off_breaks_off_for_each() -> None:
    def pieces():
        yield 16_000, np.zeros((3, 100), np.float32)
        raise ClipError("source", "the connection broke")

    sounds = list(channel_sounds(pieces(), lambda blocks: blocks))
    assert [each.name for each in sounds] == [f"[CHANNEL {number}]" for number in range(3)]
    for each in sounds:
        assert len(next(each.blocks)) == 100
        with pytest.raises(ClipError, match="the connection broke"):
            next(each.blocks)
    assert list(channel_sounds([], lambda blocks: blocks)) == []


def test_clients_have_one_channel() -> None:
    with pytest.raises(UsageError, match="--channel each is not for clients"):
        CaptureSettings(listen="tcp://:1", audio=EACH)
