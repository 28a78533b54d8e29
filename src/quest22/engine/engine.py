"""Whisper independent of any device: windows in, hypotheses out.

Builds prompts and logit rules, detects languages, and turns a backend's results into hypotheses.
Knows nothing of clips and files, nor of how a backend computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from weakref import WeakSet

import numpy as np

from quest22.checkpoint.load import Checkpoint
from quest22.decoding.alignment import AlignmentInput
from quest22.decoding.language_detection import DetectedLanguage, detect_language
from quest22.decoding.logits_rules import LogitsRulesCache
from quest22.decoding.prompts import PromptBuilder
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult, num_beams
from quest22.engine.backend import Backend, CrossKV, Features, explain
from quest22.errors import EngineError
from quest22.metrics import Metrics
from quest22.protocols import FeatureExtractor
from quest22.records import DecodingOptions, Hypothesis, Window

_ENGLISH = DetectedLanguage("en", 1.0)


@dataclass(frozen=True, eq=False)
class EncodedBatch:
    """A batch that is encoded and not yet decoded.

    ``windows`` are sorted by beams; ``windows[i]`` was window ``order[i]`` of the batch.
    """

    windows: list[Window]
    order: list[int]
    cross_kv: CrossKV


class WhisperEngine:
    """A Whisper checkpoint on a backend. See :class:`quest22.protocols.Engine`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        backend: Backend,
        features: FeatureExtractor,
        metrics: Metrics,
    ) -> None:
        tokens, generation = checkpoint.tokens, checkpoint.generation
        self.compute_type = backend.compute_type
        self.batch_size = backend.batch_size
        self.batches_in_flight = backend.batches_in_flight
        self._backend = backend
        self._features = features
        self._metrics = metrics
        self._tokens = tokens
        self._languages = {code: index for index, code in enumerate(tokens.languages)}
        self._prompts = PromptBuilder(
            tokens, generation, checkpoint.dimensions.max_target_positions
        )
        self._rules = LogitsRulesCache(tokens, generation, checkpoint.dimensions.vocab_size)
        self._begun: WeakSet[EncodedBatch] = WeakSet()

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        """Transcribe up to ``batch_size`` windows, in order; see :class:`quest22.protocols.Engine`.

        Raises :class:`EngineError` if inference fails or samples are not finite, and
        :class:`UsageError` if a window requests what the checkpoint does not support.
        """
        return self.finish(self.begin(windows))

    def begin(self, windows: Sequence[Window]) -> EncodedBatch:
        """Encode windows, which :meth:`finish` decodes; raises as :meth:`run` does.

        At most ``batches_in_flight`` batches may be begun and not finished.
        """
        self._check(windows)
        # Windows with the same number of beams are adjacent, and are decoded together.
        order = sorted(range(len(windows)), key=lambda index: _num_beams(windows[index]))
        ordered = [windows[index] for index in order]
        with self._errors_explained():
            batch = EncodedBatch(ordered, order, self._encode(ordered) if ordered else None)
        self._begun.add(batch)
        return batch

    def finish(self, ticket: EncodedBatch) -> list[Hypothesis]:
        """Decode the windows of a batch; hypotheses come in their order. Raises as :meth:`run`."""
        if ticket not in self._begun:
            raise RuntimeError("this batch is finished already: begin another one")
        self._begun.remove(ticket)
        if not ticket.windows:
            return []
        with self._errors_explained():
            hypotheses = self._decode(ticket)
        return [hypotheses[ticket.order.index(index)] for index in range(len(hypotheses))]

    def close(self) -> None:
        """Release the device's memory. The engine cannot be used again."""
        self._backend.close()

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, MemoryError) as exc:
            what = f"the {self._backend.name} engine could not run the model"
            raise EngineError(explain(what, exc)) from exc

    def _check(self, windows: Sequence[Window]) -> None:
        if len(self._begun) >= self.batches_in_flight:
            raise RuntimeError(
                f"{len(self._begun) + 1} batches at once: this engine takes at most "
                f"{self.batches_in_flight}; finish one before you begin the next"
            )
        if len(windows) > self.batch_size:
            raise EngineError(
                f"{len(windows)} windows in one call: expected at most {self.batch_size}"
            )
        for window in windows:
            if not np.isfinite(window.samples).all():
                raise EngineError(
                    f"the sound from {window.start_s:.1f} s on holds values that are not finite: "
                    "expected samples between -1 and 1"
                )

    def _encode(self, windows: Sequence[Window]) -> CrossKV:
        """Encode windows. Only one of ``features`` and ``encoder`` is timed at any moment."""
        with ExitStack() as encoder:

            def extract(window: Window) -> Features:
                encoder.close()
                with self._metrics.time("features"):
                    features = self._window_features(window)
                encoder.enter_context(self._metrics.time("encoder"))
                return features

            return self._backend.encode([partial(extract, window) for window in windows])

    def _window_features(self, window: Window) -> Features:
        if window.features is not None:
            return window.features
        return shift_features(self._features(window.samples), window.skip_frames)

    def _decode(self, batch: EncodedBatch) -> list[Hypothesis]:
        options = [window.decoding for window in batch.windows]
        with self._metrics.time("decoder"):
            languages = self._detect_languages(batch.cross_kv, options)
            requests = [self._request(*each) for each in zip(options, languages, strict=True)]
            results = self._backend.decode(batch.cross_kv, requests)
        self._metrics.count("tokens", sum(len(result.tokens) for result in results))
        decoded = zip(options, results, languages, strict=True)
        hypotheses = [self._hypothesis(*each) for each in decoded]
        if any(each.words for each in options):
            with self._metrics.time("alignment"):
                self._add_alignments(batch, hypotheses)
        return hypotheses

    def _detect_languages(
        self, cross_kv: CrossKV, options: Sequence[DecodingOptions]
    ) -> list[DetectedLanguage]:
        """Each window's language: given or detected."""
        if not self._tokens.is_multilingual:
            return [_ENGLISH for _ in options]
        if all(each.language is not None for each in options):
            return [DetectedLanguage(each.language, 1.0) for each in options]
        logits = self._backend.language_logits(cross_kv, list(self._tokens.languages.values()))
        return [
            detect_language(row, self._languages, each.detection)
            if each.language is None
            else DetectedLanguage(each.language, 1.0)
            for each, row in zip(options, logits, strict=True)
        ]

    def _request(self, options: DecodingOptions, detected: DetectedLanguage) -> DecodeRequest:
        language = detected.language if self._tokens.is_multilingual else options.language
        return DecodeRequest(
            self._prompts.build(options, language),
            self._rules.rules(options.suppression),
            options.search,
            options.temperature,
            alignment=options.words,
        )

    def _hypothesis(
        self, options: DecodingOptions, result: DecodeResult, detected: DetectedLanguage
    ) -> Hypothesis:
        control = range(self._tokens.eot, self._tokens.timestamp_begin)
        return Hypothesis(
            tokens=tuple(token for token in result.tokens if token not in control),
            language=detected.language,
            language_probability=detected.probability,
            avg_logprob=result.avg_logprob,
            no_speech_prob=result.no_speech_prob,
            temperature=options.temperature,
            languages=detected.top_languages,
        )

    def _add_alignments(self, batch: EncodedBatch, hypotheses: list[Hypothesis]) -> None:
        """Add alignments to the hypotheses of windows that request words."""
        timed = [row for row, window in enumerate(batch.windows) if window.decoding.words]
        inputs = [
            AlignmentInput.of(batch.windows[row], hypotheses[row], self._tokens) for row in timed
        ]
        alignments = self._backend.align(batch.cross_kv, inputs)
        for row, alignment in zip(timed, alignments, strict=True):
            hypotheses[row] = replace(hypotheses[row], alignment=alignment)


def _num_beams(window: Window) -> int:
    return num_beams(window.decoding.search, window.decoding.temperature)


def shift_features(features: Features, frame: int) -> Features:
    """Features from a frame on, ``[mel bins, frames]``, with zeros at the end.

    As in Transformers' ``generate``, which continues a window from where the model stopped.
    """
    if not frame:
        return features
    shifted = np.zeros_like(features)
    shifted[:, : features.shape[1] - frame] = features[:, frame:]
    return shifted
