"""Decodes windows of audio with a checkpoint on the product's own engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import load
from quest22.checkpoint.tokens import Tokens
from quest22.engine.build import build_engine
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, Hypothesis, Window
from quest22.settings import EngineSettings
from recipes.nano.synthesis.spoken import Samples

BATCH = 16


@dataclass(frozen=True, slots=True)
class DecodedWindow:
    """What was heard in one window; ``spans_s`` are the segments' times, where asked for."""

    text: str
    language: str | None
    no_speech: float
    spans_s: tuple[tuple[float, float], ...]


class WindowDecoder:
    """A checkpoint, loaded once for all measures."""

    def __init__(self, model: str, compute_type: str) -> None:
        checkpoint = load(model)
        settings = EngineSettings(model, compute_type=compute_type, batch_size=BATCH)
        features = LogMel(checkpoint.dimensions.mel_bins)
        self._tokens = checkpoint.tokens
        self._engine = build_engine(checkpoint, features, settings, Metrics())

    def decode(self, sounds: Sequence[Samples], decoding: DecodingOptions) -> list[DecodedWindow]:
        """Decode sounds of up to 30 s greedily."""
        windows = [Window(sound, 0.0, decoding) for sound in sounds]
        found: list[DecodedWindow] = []
        for begin in range(0, len(windows), BATCH):
            answers = self._engine.run(windows[begin : begin + BATCH])
            found += [self._heard(answer) for answer in answers]
        return found

    def _heard(self, answer: Hypothesis) -> DecodedWindow:
        words = [token for token in answer.tokens if not self._tokens.is_timestamp(token)]
        spans = _spans(answer.tokens, self._tokens)
        text = self._tokens.decode(words)
        return DecodedWindow(text, answer.language, answer.no_speech_prob, spans)


def _spans(answer: Sequence[int], tokens: Tokens) -> tuple[tuple[float, float], ...]:
    """Times around each stretch of text that has both."""
    spans: list[tuple[float, float]] = []
    start: float | None = None
    spoken = False
    for token in answer:
        if not tokens.is_timestamp(token):
            spoken = True
        elif spoken and start is not None:
            spans.append((start, tokens.timestamp(token)))
            start, spoken = None, False
        else:
            start, spoken = tokens.timestamp(token), False
    return tuple(spans)
