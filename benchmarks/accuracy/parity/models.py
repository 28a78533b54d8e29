"""One checkpoint in three programs: the product, Transformers and openai/whisper, in float32."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import Checkpoint, load
from quest22.checkpoint.save import save
from quest22.engine.build import build_engine
from quest22.metrics import Metrics
from quest22.protocols import ConfiguredStrategy, LongForm
from quest22.records import (
    WINDOW_SAMPLES,
    Clip,
    DecodingOptions,
    Hypothesis,
    Origin,
    Samples,
    Transcript,
    Window,
)
from quest22.settings import EngineSettings
from tests.support.openai_whisper import OpenaiWhisper
from tests.support.whisper_reference import WhisperReference

Features = NDArray[np.float32]

BLOCK = 480_000
"""Samples of a recording that a long form is fed at once."""


class Models:
    """The product and its references on one folder of weights; each is loaded when it is needed.

    ``folder`` holds the weights in any format the product reads. A copy in Transformers' format,
    which both references are loaded from, is written into ``standard`` unless it is there.
    """

    def __init__(self, folder: Path, standard: Path) -> None:
        self.name = folder.name
        self.checkpoint: Checkpoint = load(str(folder))
        self.log_mel = LogMel(self.checkpoint.dimensions.mel_bins)
        settings = EngineSettings(compute_type="float32", batch_size=1, threads=1)
        self._engine = build_engine(self.checkpoint, self.log_mel, settings, Metrics())
        self._standard = standard
        if not standard.exists():
            save(self.checkpoint, standard)

    @cached_property
    def transformers(self) -> WhisperReference:
        return WhisperReference(self._standard)

    @cached_property
    def openai(self) -> OpenaiWhisper:
        return OpenaiWhisper(self._standard)

    @cached_property
    def pipeline(self) -> Any:
        """Transformers' pipeline around the same model."""
        from transformers import AutomaticSpeechRecognitionPipeline, AutoTokenizer

        tokenizer: Any = AutoTokenizer.from_pretrained(self._standard)
        return AutomaticSpeechRecognitionPipeline(
            self.transformers.model, tokenizer=tokenizer, feature_extractor=self._extractor
        )

    @cached_property
    def _extractor(self) -> Any:
        from transformers import WhisperFeatureExtractor

        return WhisperFeatureExtractor.from_pretrained(self._standard)

    def transformers_features(self, samples: Samples) -> Features:
        """One window's features as Transformers computes them, ``[mel bins, 3000]``."""
        made = self._extractor(samples, sampling_rate=16_000, return_tensors="np")
        features: Features = made.input_features[0]
        return features

    def openai_features(self, samples: Samples) -> Features:
        """One window's features as openai/whisper computes them, ``[mel bins, 3000]``."""
        import whisper

        padded = whisper.pad_or_trim(samples, WINDOW_SAMPLES)
        made = whisper.log_mel_spectrogram(padded, self.checkpoint.dimensions.mel_bins)
        features: Features = made.numpy()
        return features

    def hear(self, window: Window) -> Hypothesis:
        """What the product hears in one window."""
        (hypothesis,) = self._engine.run([window])
        return hypothesis

    def hear_all(self, strategy: ConfiguredStrategy, samples: Samples) -> Hearing:
        """What the product hears in a recording, and in each of its windows, in order."""
        clip = Clip("recording", "recording", samples, Origin("memory"))
        hearing = Hearing(strategy.open(clip))
        for start in range(0, len(samples), BLOCK):
            self._answer(hearing, hearing.long_form.feed(samples[start : start + BLOCK]))
        self._answer(hearing, hearing.long_form.flush())
        return hearing

    def _answer(self, hearing: Hearing, windows: list[Window]) -> None:
        while windows:
            window, *windows = windows
            hypothesis = self.hear(window)
            hearing.windows.append((window, hypothesis))
            windows = [*hearing.long_form.add_result(window, hypothesis), *windows]

    def prompt(self, decoding: DecodingOptions, language: str | None) -> tuple[int, ...]:
        """The control tokens that a window's transcript begins with."""
        tokens = self.checkpoint.tokens
        return tokens.initial_tokens(
            language if tokens.is_multilingual else None,
            decoding.task,
            timestamps=decoding.timestamps,
        )

    def language(self, language: str | None) -> str | None:
        """The language to ask for: English-only weights have no other."""
        return language if self.checkpoint.tokens.is_multilingual else "en"


@dataclass(slots=True, eq=False)
class Hearing:
    """A recording on its way through a long form: windows with their hypotheses so far."""

    long_form: LongForm
    windows: list[tuple[Window, Hypothesis]] = field(default_factory=list)

    def transcript(self) -> Transcript:
        """The whole recording's."""
        return self.long_form.close()


def window_of(samples: Samples, decoding: DecodingOptions) -> Window:
    """The first 30 s of a recording."""
    return Window(samples[:WINDOW_SAMPLES], 0.0, decoding)
