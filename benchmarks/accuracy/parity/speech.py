"""Voice activity beside faster-whisper's ``get_speech_timestamps``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import inf

import numpy as np

from benchmarks.accuracy.parity.causes import EQUAL, UNEXPLAINED, Outcome
from benchmarks.accuracy.parity.recordings import Recording
from quest22.audio.vad.endpoints import EndpointRules
from quest22.audio.vad.silero.model import SileroModel
from quest22.audio.vad.speech_stream import SpeechStream
from quest22.records import VAD_FRAME_SAMPLES, Samples
from quest22.settings import LongFormSettings, VadSettings

PROBABILITY = 1e-4
"""Probabilities of speech that differ by less are equal."""


@dataclass(frozen=True, slots=True)
class SpanRules:
    """What ends a span of speech, under faster-whisper's names."""

    max_speech_duration_s: float = inf
    min_silence_duration_ms: int = 2000


RULES = {"sequential": SpanRules(), "batched": SpanRules(30, 160)}
"""faster-whisper's defaults of ``transcribe`` and of its batched pipeline."""


@cache
def silero() -> SileroModel:
    """The network, loaded once."""
    return SileroModel()


def speech(recording: Recording) -> Iterator[Outcome]:
    """Probabilities of speech in each 32 ms, and spans, to the sample."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps, get_vad_model

    sound = recording.samples
    whole = sound[: len(sound) // VAD_FRAME_SAMPLES * VAD_FRAME_SAMPLES]
    stream = silero().open()
    ours = np.concatenate([stream.feed(whole), stream.flush()])
    theirs = get_vad_model()(whole.copy()).ravel()  # it sets the last 4 ms to zero
    common = len(theirs) - 1
    apart = float(np.abs(ours[:common] - theirs[:common]).max(initial=0.0))
    if apart >= PROBABILITY:
        yield Outcome(recording.name, UNEXPLAINED, f"probabilities up to {apart:.1e} apart")
    for name, rules in RULES.items():
        options = VadOptions(
            max_speech_duration_s=rules.max_speech_duration_s,
            min_silence_duration_ms=rules.min_silence_duration_ms,
        )
        told = get_speech_timestamps(sound.copy(), options)
        expected = [(each["start"], each["end"]) for each in told]
        yield _spans_outcome(f"{recording.name} {name}", spans(sound, rules), expected)


def spans(sound: Samples, rules: SpanRules) -> list[tuple[int, int]]:
    """The product's spans of speech, in samples."""
    endpoints = EndpointRules.of(
        VadSettings(
            vad_max_speech_duration_s=rules.max_speech_duration_s,
            vad_min_silence_duration_ms=rules.min_silence_duration_ms,
        ),
        LongFormSettings(long_form="sequential"),
    )
    stream = SpeechStream(silero().open(), endpoints)
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
