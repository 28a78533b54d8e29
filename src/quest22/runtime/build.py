"""Settings → stages → a run. The only place that names concrete stages."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quest22.env import silence_telemetry
from quest22.errors import UsageError
from quest22.metrics import Metrics
from quest22.protocols import AudioDecoder, Engine, ReplayStore, Source, Strategy
from quest22.records import SAMPLE_RATE_HZ, Clip, Failure, Position, RowLocation, Transcript
from quest22.runtime.scheduler import Scheduler
from quest22.settings import DatasetSettings, MemorySettings, PipelineSettings

if TYPE_CHECKING:
    from quest22.audio.log_mel import LogMel
    from quest22.checkpoint.load import Checkpoint
    from quest22.checkpoint.tokens import Tokens
    from quest22.source.dataset import DatasetSource, ResumeState
    from quest22.source.io.retry import RetryingClient

TURBO_LAYERS = (32, 4)
"""Layers of the encoder and the decoder of large-v3-turbo, and of no other model."""

_log = logging.getLogger("quest22")


class Pipeline:
    """A loaded model, ready for runs, one at a time.

    Making one raises :class:`quest22.errors.CheckpointError` for a model that cannot be found or
    read, and :class:`quest22.errors.UsageError` for settings that it cannot carry out.
    """

    def __init__(
        self, settings: PipelineSettings | None = None, metrics: Metrics | None = None
    ) -> None:
        silence_telemetry()
        from quest22.audio.log_mel import LogMel
        from quest22.checkpoint.load import load
        from quest22.engine.engine import WhisperEngine

        self.settings = settings or PipelineSettings()
        self.metrics = metrics or Metrics()
        wanted = self.settings.engine
        checkpoint = load(wanted.model, revision=wanted.revision, token=wanted.token)
        self.checkpoint_name = checkpoint.name
        self.checkpoint_revision = checkpoint.revision
        self.weights_fingerprint = checkpoint.weights.fingerprint()
        _check(checkpoint, self.settings)
        _check_long_form(self.settings)
        features = LogMel(checkpoint.dimensions.mel_bins, wanted.threads)
        engine = WhisperEngine(checkpoint, features, wanted, self.metrics)
        self.compute_type = engine.compute_type
        self.batch_size = engine.batch_size
        self._engine: Engine = engine
        self._strategy = _strategy(self.settings, checkpoint.tokens, features)

    def stream(self, dataset: DatasetSettings, after: Position | None = None) -> Run:
        """A run over a dataset's rows; ``after`` continues an earlier one behind that row."""
        self.metrics.reset()
        network = client_within(self.settings.memory, self.metrics)
        return self.run(dataset_source(dataset, network, after))

    def files(self, inputs: Sequence[str]) -> Run:
        """A run over files, folders, globs, URLs, or ``-`` for standard input."""
        self.metrics.reset()
        network = client_within(self.settings.memory, self.metrics)
        return self.run(file_source(inputs, network, self.settings.engine.token))

    def run(
        self, clips: Source | Iterable[Clip | Failure], memory: ReplayStore | None = None
    ) -> Run:
        """A run over clips from anywhere; ``memory`` goes on with what an earlier process heard."""
        from quest22.audio.decode import MediaDecoder

        decoder = MediaDecoder(self.settings.audio, self.metrics)
        stages = Stages(clips, decoder, self._strategy, self._engine)
        return Run(stages, self.settings, self.metrics, memory)


def client_within(bounds: MemorySettings, metrics: Metrics) -> RetryingClient:
    """The network that the sources of a run share, reading no further ahead than it may hold."""
    from quest22.source.io.retry import NetworkSettings, RetryingClient

    return RetryingClient(NetworkSettings().within(bounds), metrics)


def dataset_source(
    dataset: DatasetSettings,
    network: RetryingClient,
    after: Position | None = None,
    places: Mapping[RowLocation, str] | None = None,
    earlier: ResumeState | None = None,
) -> DatasetSource:
    """A dataset's rows as clips; found, but not yet read, so that it can come before the model.

    ``after`` continues an earlier run behind that row, without reading again what lies before it
    if ``earlier`` tells all keys that the run has given out; ``places`` takes certain rows
    alone, by their keys.
    Raises :class:`quest22.errors.SourceError` and :class:`quest22.errors.UsageError`.
    """
    from quest22.source.dataset import DatasetSource

    return DatasetSource(
        dataset, network.metrics, after, places, resume_state=earlier, client=network
    )


def file_source(inputs: Sequence[str], network: RetryingClient, token: str | None = None) -> Source:
    """Files, folders, globs, URLs, or ``-`` for standard input, as clips; likewise.

    Raises :class:`quest22.errors.SourceError` where none of them is there.
    """
    from quest22.source.files import FilesSource

    return FilesSource(inputs, metrics=network.metrics, token=token, client=network)


def _strategy(settings: PipelineSettings, tokens: Tokens, mel: LogMel) -> Strategy:
    """The long form that is asked for."""
    from quest22.audio.mel_stream import LogMelStream
    from quest22.longform.chunked import ChunkedStrategy
    from quest22.longform.sequential import SequentialStrategy

    asked = (settings.longform, settings.decoding, tokens, settings.hallucination)
    voiced = settings.vad.vad != "off"
    strategy: Strategy
    if settings.longform.long_form == "chunked":
        strategy = ChunkedStrategy(*asked, packed=voiced)
    else:
        strategy = SequentialStrategy(*asked, lambda: LogMelStream(mel))
    return _voiced(strategy, settings) if voiced else strategy


def _check(checkpoint: Checkpoint, settings: PipelineSettings) -> None:
    """Refuse what the checkpoint cannot do now, not at the first window.

    A model that was never taught to translate is warned of.
    """
    from quest22.decoding.logits_rules_cache import LogitsRulesCache

    tokens, decoding = checkpoint.tokens, settings.decoding
    named = (decoding.language, decoding.fallback_language, *decoding.languages)
    asked = [language for language in named if language is not None]
    spoken: list[str | None] = [*asked] or ["en" if tokens.is_multilingual else None]
    for language in spoken:
        tokens.initial_tokens(language, decoding.task, timestamps=decoding.timestamps)
    vocabulary = checkpoint.dimensions.vocab_size
    LogitsRulesCache(tokens, checkpoint.generation, vocabulary).rules(decoding.suppression())
    shape = (checkpoint.dimensions.encoder_layers, checkpoint.dimensions.decoder_layers)
    if decoding.task == "translate" and shape == TURBO_LAYERS:
        _log.warning(
            "%s: the turbo model was not taught to translate and will mostly transcribe; "
            "large-v3 and medium translate",
            checkpoint.name,
        )


def _voiced(strategy: Strategy, settings: PipelineSettings) -> Strategy:
    """The strategy, given nothing but speech. Raises :class:`quest22.errors.UsageError`."""
    from quest22.audio.vad.endpoints import EndpointRules
    from quest22.audio.vad.silero.model import SileroModel
    from quest22.audio.vad.speech_stream import SpeechStream
    from quest22.longform.vad_filtered import VadFilteredStrategy, VadFilterOptions

    longform = settings.longform
    if longform.clip_timestamps:
        raise UsageError("clip timestamps say what is heard, and so does vad: expected one of them")
    rules = EndpointRules.of(settings.vad, longform)
    network = SileroModel()
    window = round(longform.chunk_length_s * SAMPLE_RATE_HZ)
    voicing = VadFilterOptions(
        whole_stretches=longform.long_form == "chunked",
        whole_clip=window if settings.vad.vad == "auto" else 0,
        language=settings.decoding.language,
    )
    return VadFilteredStrategy(strategy, lambda: SpeechStream(network.open(), rules), voicing)


def _check_long_form(settings: PipelineSettings) -> None:
    """Refuse what only the other long form does, rather than leave it out in silence."""
    silence = settings.hallucination.hallucination_silence_threshold is not None
    chunked = settings.longform.long_form == "chunked"
    if chunked and (silence or settings.longform.clip_timestamps):
        raise UsageError(
            "clip timestamps and the hallucination silence threshold belong to the sequential "
            "long form: give --long-form sequential"
        )
    if silence and not settings.decoding.word_timestamps:
        raise UsageError(
            "the hallucination silence threshold looks at times of words: give --word-timestamps"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """The stages of one run, in the order of flow."""

    source: Source | Iterable[Clip | Failure]
    decoder: AudioDecoder
    strategy: Strategy
    engine: Engine


class Run:
    """One pass over a source: iterate it once, for a result a clip in the source's order.

    ``total`` is the number of clips where the source knows it, else None.
    """

    def __init__(
        self,
        stages: Stages,
        settings: PipelineSettings,
        metrics: Metrics,
        memory: ReplayStore | None = None,
    ) -> None:
        self.metrics = metrics
        self.total = len(stages.source) if isinstance(stages.source, Sized) else None
        self._results = _results(stages, settings, metrics, memory)

    def __iter__(self) -> Iterator[Transcript | Failure]:
        return self._results

    def close(self) -> None:
        """Stop early: threads end, files are closed."""
        self._results.close()


def _results(
    stages: Stages, settings: PipelineSettings, metrics: Metrics, memory: ReplayStore | None
) -> Generator[Transcript | Failure, None, None]:
    from quest22.audio.pool import decode_ahead

    metrics.begin()
    audios = decode_ahead(stages.source, stages.decoder, settings.audio, metrics, settings.memory)
    with closing(audios):
        scheduler = Scheduler(stages.engine, stages.strategy, metrics, memory=memory)
        yield from scheduler.run(audios)
