"""The CPU engine: windows in, hypotheses out.

Composes features, graphs and the search; knows nothing of clips, files or threads of a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.load import Checkpoint
from quest22.decoding.language_detection import DetectedLanguage, detect_language
from quest22.decoding.logits_rules_cache import LogitsRulesCache
from quest22.decoding.prompts import PromptBuilder
from quest22.decoding.search import BatchSearch, Continuation
from quest22.decoding.token_decoders import DecodeRequest, num_beams
from quest22.engine.batch_size import choose_batch_size
from quest22.engine.decoder_session import DecoderSession
from quest22.engine.kv_cache import CrossKVCache
from quest22.engine.openvino.aligner import Aligner
from quest22.engine.openvino.compiled_graphs import CompiledGraphs
from quest22.engine.openvino.compiler import Compiler, explain
from quest22.engine.openvino.decoder_network import open_decoder_network
from quest22.engine.openvino.encoder_runner import open_encoder_runner
from quest22.errors import EngineError
from quest22.metrics import Metrics
from quest22.protocols import FeatureExtractor
from quest22.records import DecodingOptions, Hypothesis, Window
from quest22.settings import EngineSettings
from quest22.system.machine import usable_cores

_ENGLISH = DetectedLanguage("en", 1.0)


class WhisperEngine:
    """A Whisper checkpoint on OpenVINO's CPU device. See :class:`quest22.protocols.Engine`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        features: FeatureExtractor,
        settings: EngineSettings,
        metrics: Metrics,
    ) -> None:
        """Build and compile the graphs.

        Raises :class:`UsageError` for a device or compute type that is not there, and
        :class:`EngineError` where compilation fails.
        """
        dims, generation = checkpoint.dimensions, checkpoint.generation
        compiler = Compiler.open(settings.device, settings.compute_type, settings.threads)
        self.compute_type = compiler.precision.name
        self._graphs = graphs = CompiledGraphs.of(checkpoint, compiler)
        threads = settings.threads or usable_cores()
        network = open_decoder_network(checkpoint, graphs, threads)
        self.batch_size = settings.batch_size or choose_batch_size(
            dims, network.sound_element, cores=settings.threads
        )
        states = CrossKVCache(dims, self.batch_size, network.sound_element)
        self._stepper = DecoderSession(network, states)
        self._listener = open_encoder_runner(checkpoint, graphs, network, states, threads)
        self._aligner = Aligner(checkpoint, graphs, states.element)
        self._features = features
        self._metrics = metrics
        self._tokens = checkpoint.tokens
        self._prompts = PromptBuilder(self._tokens, generation, dims.max_target_positions)
        self._rules = LogitsRulesCache(self._tokens, generation, dims.vocab_size)
        self._search = BatchSearch(checkpoint.tokens.no_speech)

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        """Transcribe up to ``batch_size`` windows, in order; see :class:`quest22.protocols.Engine`.

        Raises :class:`EngineError` where inference fails, :class:`UsageError` where a window asks
        for what the checkpoint or this engine cannot do.
        """
        self._check(windows)
        if not windows:
            return []
        # Windows that are equally wide in the search stand side by side.
        order = sorted(range(len(windows)), key=lambda place: _width(windows[place]))
        try:
            found = self._run([windows[place] for place in order])
            self._graphs.settle()
            return [found[order.index(place)] for place in range(len(windows))]
        except (RuntimeError, MemoryError) as exc:
            raise EngineError(explain("OpenVINO could not run the model", exc)) from exc

    def _check(self, windows: Sequence[Window]) -> None:
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

    def _run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        self._hear(windows)
        timed = [row for row, window in enumerate(windows) if window.decoding.words]
        held = self._stepper.copy(timed) if timed else None
        with self._metrics.time("decoder"):
            asked = [window.decoding for window in windows]
            spoken = self._languages(asked)
            continuations = list(self._decode(asked, spoken))
        self._metrics.count("tokens", sum(len(each.tokens) for each in continuations))
        answered = zip(asked, continuations, spoken, strict=True)
        hypotheses = [self._hypothesis(*answer) for answer in answered]
        if held is not None:
            with self._metrics.time("alignment"):
                hypotheses = self._aligner.add_alignments(windows, hypotheses, held)
        return hypotheses

    def _hear(self, windows: Sequence[Window]) -> None:
        """Encode all windows; ``encoder`` is how long that was waited for."""
        self._listener.begin(len(windows))
        for row, window in enumerate(windows):
            with self._metrics.time("encoder"):
                self._listener.make_room()
            with self._metrics.time("features"):
                heard = self._heard(window)
            with self._metrics.time("encoder"):
                self._listener.hear(row, heard)
        with self._metrics.time("encoder"):
            self._listener.finish()

    def _heard(self, window: Window) -> NDArray[np.float32]:
        if window.features is not None:
            return window.features
        return from_frame(self._features(window.samples), window.skip_frames)

    def _decode(
        self, asked: Sequence[DecodingOptions], spoken: Sequence[DetectedLanguage]
    ) -> Iterator[Continuation]:
        """What each window continues with: one search for all that are equally wide."""
        requests = [self._request(*pair) for pair in zip(asked, spoken, strict=True)]
        first = 0
        for wide, group in groupby(requests, key=lambda request: request.num_beams):
            alike = list(group)
            self._stepper.restart(len(alike), wide, first)
            yield from self._search.run(self._stepper, alike)
            first += len(alike)

    def _request(self, asked: DecodingOptions, spoken: DetectedLanguage) -> DecodeRequest:
        language = spoken.language if self._tokens.is_multilingual else asked.language
        return DecodeRequest(
            self._prompts.build(asked, language),
            self._rules.rules(asked.suppression),
            asked.search,
            asked.temperature,
        )

    def _languages(self, asked: Sequence[DecodingOptions]) -> list[DetectedLanguage]:
        """Each window's language: as asked for, else heard after the start of the transcript."""
        if not self._tokens.is_multilingual:
            return [_ENGLISH for _ in asked]
        if all(decoding.language is not None for decoding in asked):
            return [DetectedLanguage(decoding.language, 1.0) for decoding in asked]
        self._stepper.restart(len(asked))
        starts = np.full((len(asked), 1), self._tokens.sot, np.int32)
        logits = self._stepper.step(starts, [0])[:, 0]
        return [
            detect_language(row, self._tokens.languages, decoding.detection)
            if decoding.language is None
            else DetectedLanguage(decoding.language, 1.0)
            for decoding, row in zip(asked, logits, strict=True)
        ]

    def _hypothesis(
        self, asked: DecodingOptions, heard: Continuation, spoken: DetectedLanguage
    ) -> Hypothesis:
        control = range(self._tokens.eot, self._tokens.timestamp_begin)
        return Hypothesis(
            tokens=tuple(token for token in heard.tokens if token not in control),
            language=spoken.language,
            language_probability=spoken.probability,
            avg_logprob=heard.avg_logprob,
            no_speech_prob=heard.no_speech_prob,
            temperature=asked.temperature,
            languages=spoken.likeliest,
        )


def _width(window: Window) -> int:
    return num_beams(window.decoding.search, window.decoding.temperature)


def from_frame(features: NDArray[np.float32], frame: int) -> NDArray[np.float32]:
    """Features from a frame on, ``[mel bins, frames]``, with zeros at the end.

    So Transformers' ``generate`` hears a window again from where the model stopped.
    """
    rest = np.zeros_like(features)
    rest[:, : features.shape[1] - frame] = features[:, frame:]
    return rest if frame else features
