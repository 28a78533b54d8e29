"""Voice activity beside faster-whisper's ``get_speech_timestamps``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from benchmarks.accuracy.parity.causes import EQUAL, UNEXPLAINED, Outcome
from benchmarks.accuracy.parity.recordings import Recording
from quest22.audio.vad.endpoints import EndpointRules
from quest22.audio.vad.silero.model import FRAME_SAMPLES, SileroModel
from quest22.audio.vad.speech_stream import SpeechStream
from quest22.records import SAMPLE_RATE_HZ, Samples

LAST_FRAME = "faster-whisper sets the last 4 ms to zero"
PROBABILITY = 1e-4
"""Probabilities of speech that differ by less are equal."""


@cache
def silero() -> SileroModel:
    """The network, loaded once."""
    return SileroModel()


def speech(recording: Recording) -> Iterator[Outcome]:
    """Probabilities of speech in each 32 ms, and spans, to the sample."""
    from faster_whisper.vad import get_speech_timestamps, get_vad_model

    sound = recording.samples
    whole = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES]
    stream = silero().open()
    ours = np.concatenate([stream.feed(whole), stream.flush()])[: len(whole) // FRAME_SAMPLES]
    theirs = get_vad_model()(whole).ravel()
    apart = float(np.abs(ours[:-1] - theirs[:-1]).max(initial=0.0))
    if apart >= PROBABILITY:
        yield Outcome(recording.name, UNEXPLAINED, f"probabilities up to {apart:.1e} apart")
    expected = [(each["start"], each["end"]) for each in get_speech_timestamps(sound)]
    yield _spans_outcome(recording.name, spans(sound), expected)


def spans(sound: Samples) -> list[tuple[int, int]]:
    """The product's spans of speech with faster-whisper's defaults, in samples."""
    stream = SpeechStream(silero().open(), EndpointRules(min_silence=2 * SAMPLE_RATE_HZ))
    found: list[tuple[int, int]] = []
    begun: int | None = None
    for chunk in [*stream.feed(sound), *stream.flush()]:
        begun = chunk.start if begun is None else begun
        if chunk.last:
            found.append((begun, chunk.start + len(chunk.samples)))
            begun = None
    return found


def _spans_outcome(
    name: str, ours: list[tuple[int, int]], theirs: list[tuple[int, int]]
) -> Outcome:
    if ours == theirs:
        return Outcome(name, EQUAL)
    return Outcome(name, UNEXPLAINED, f"spans {ours} for {theirs}")
