"""Recordings from asynchronous code, with the product's own small model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest

import quest22
from quest22.records import SAMPLE_RATE_HZ
from tests.support.recordings import NANO_IS_HERE, recordings

pytestmark = pytest.mark.skipif(not NANO_IS_HERE, reason="without the model nano")


@pytest.fixture(scope="module")
def whisper() -> Iterator[quest22.Transcriber]:
    options = {"batch_size": 4, "language": "en", "compute_type": "float32"}
    with quest22.Transcriber("nano", **options) as transcriber:
        yield transcriber


def test_awaited_together_they_are_what_they_are_alone(whisper: quest22.Transcriber) -> None:
    sounds = recordings("en", 5, longest_s=5.0)

    async def gathered() -> list[quest22.Transcript]:
        return await asyncio.gather(*(whisper.atranscribe(sound) for sound in sounds))

    texts = [each.text for each in asyncio.run(gathered())]
    assert texts == [whisper.transcribe(sound).text for sound in sounds]
    assert all(texts)


def test_options_are_for_one_call(whisper: quest22.Transcriber) -> None:
    (sound,) = recordings("en", 1, longest_s=5.0)
    found = asyncio.run(whisper.atranscribe(sound, word_timestamps=True))
    assert [word.text for each in found.segments for word in each.words]


@pytest.mark.parametrize(
    ("sound", "options", "error", "says"),
    [
        ("no-such-file.wav", {}, quest22.ClipError, "no-such-file.wav"),
        (b"", {}, quest22.ClipError, "is empty"),
        (object(), {}, quest22.UsageError, "expected a path"),
        (b"x", {"beam_size": -1}, quest22.UsageError, "beam_size is -1"),
        (b"x", {"beem_size": 1}, quest22.UsageError, "did you mean 'beam_size'"),
    ],
)
def test_what_cannot_be_is_raised_where_it_is_awaited(
    whisper: quest22.Transcriber, sound: object, options: dict, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        asyncio.run(whisper.atranscribe(sound, **options))


def test_a_cancelled_task_takes_its_recording_with_it(whisper: quest22.Transcriber) -> None:
    hours = np.tile(recordings("en", 1, longest_s=5.0)[0], 2_000)[: 3 * 3600 * SAMPLE_RATE_HZ]

    async def cancelled() -> str:
        task = asyncio.create_task(whisper.atranscribe(hours))
        await asyncio.sleep(0.1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        (sound,) = recordings("en", 1, longest_s=5.0)
        return (await whisper.atranscribe(sound)).text

    assert asyncio.run(asyncio.wait_for(cancelled(), 120))


def test_a_model_for_one_recording() -> None:
    (sound,) = recordings("en", 1, longest_s=5.0)
    assert asyncio.run(quest22.atranscribe(sound, "nano", language="en")).text


def test_a_closed_model_says_so() -> None:
    whisper = quest22.Transcriber("nano")
    whisper.close()
    with pytest.raises(quest22.UsageError, match="closed"):
        asyncio.run(whisper.atranscribe(np.zeros(16_000, np.float32)))
