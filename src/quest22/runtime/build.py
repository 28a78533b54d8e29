"""Builds stages from settings, and runs or a loop from stages; chooses the implementations."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Sized
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from quest22.env import silence_telemetry
from quest22.errors import EngineError, UsageError
from quest22.metrics import Metrics
from quest22.protocols import (
    AudioDecoder,
    ConfiguredStrategy,
    Engine,
    ReplayStore,
    Source,
    Strategy,
)
from quest22.records import (
    SAMPLE_RATE_HZ,
    Clip,
    DecodingOptions,
    Failure,
    Origin,
    Position,
    Transcript,
    Window,
)
from quest22.runtime.batches_ahead import BatchesAhead
from quest22.runtime.ordered import OrderedDriver
from quest22.runtime.progress import OnProgress, ProgressBoard
from quest22.runtime.turns import EngineTurns
from quest22.settings import (
    DatasetSettings,
    MemorySettings,
    PipelineSettings,
)
from quest22.system.forks import HomeProcess, kept_in_children
from quest22.system.shortage import shortage

if TYPE_CHECKING:
    from typing_extensions import Self

    from quest22.audio.decoding_notes import DecodingNotes
    from quest22.runtime.clip_handle import ClipHandle
    from quest22.runtime.live_session import LiveSession
    from quest22.runtime.loop import LoopSettings, TranscriptionLoop
    from quest22.settings.clip_options import ClipOptions
    from quest22.source.dataset import DatasetSource, ResumeState
    from quest22.source.files import FilesSource
    from quest22.source.io.retry import RetryingClient
    from quest22.source.row_positions import Selection

Connect: TypeAlias = "Callable[[MemorySettings, Metrics], RetryingClient]"
"""Makes the network client that the sources of a run share, within the run's memory limit."""


class Pipeline:
    """A loaded model, ready for runs. Close it, or use it in a ``with`` block, to free its memory.

    Runs and live sessions may overlap, in one thread or several: their batches take turns, and
    those of who speaks come first. Loading raises
    :class:`quest22.errors.CheckpointError` for a model that cannot be found or read, and
    :class:`quest22.errors.UsageError` for settings that it does not support.
    """

    checkpoint_origin = ""
    """What a short name stood for: see :class:`quest22.checkpoint.resolve.ResolvedFolder`."""

    devices: tuple[str, ...] = ()
    """Those that share the work, by name; none if the settings leave the device open."""

    _closed = False
    _shared_loop: TranscriptionLoop | None = None
    _live_sessions = 0
    _warm = False

    def __init__(
        self, settings: PipelineSettings | None = None, metrics: Metrics | None = None
    ) -> None:
        silence_telemetry()
        from quest22.audio.log_mel import LogMel
        from quest22.checkpoint.load import load
        from quest22.runtime.devices.build import open_engine
        from quest22.runtime.devices.names import chosen_devices
        from quest22.runtime.strategy import PerClipStrategy

        self.home = HomeProcess()
        model, self.settings = with_model(settings or PipelineSettings())
        self.metrics = metrics or Metrics()
        engine_settings = self.settings.engine
        with _shortages_told("the model"):
            self.devices = chosen_devices(engine_settings)
            checkpoint = load(model, revision=engine_settings.revision, token=engine_settings.token)
            draft = None
            if engine_settings.draft_model is not None:
                draft = load(engine_settings.draft_model, token=engine_settings.token)
            features = LogMel(checkpoint.dimensions.mel_bins, engine_settings.cpu_threads)
            strategy = PerClipStrategy(
                checkpoint,
                features,
                self.settings.for_clips(),
                each_channel=self.settings.audio.channel == "each",
            )
            strategy.configured()
            engine = open_engine(
                checkpoint, features, engine_settings, self.devices, self.metrics, draft
            )
        self.checkpoint_name = checkpoint.name
        self.checkpoint_origin = checkpoint.origin
        self.checkpoint_revision = checkpoint.revision
        self.weights_fingerprint = checkpoint.weights.fingerprint()
        self.languages = tuple(checkpoint.tokens.languages) or ("en",)
        self.engine_name, self.device = engine.backend_name, engine.device
        self.compute_type = engine.compute_type
        self.batch_size = engine.batch_size
        # A processor has nothing to gain: it would prepare the next batch on the same cores.
        self._is_ahead = engine.batches_in_flight == 1 and engine.device != "cpu"
        self._engine: Engine = engine
        self._turns = EngineTurns(engine)
        self._strategy: Strategy = strategy
        self._opening = threading.Lock()

    def close(self) -> None:
        """Free the model's memory. Whatever uses it afterwards raises ``UsageError``."""
        self._closed = True
        if self.home.is_here:
            with self._opening:
                if self._shared_loop is not None:
                    self._shared_loop.close(cancel=True)
            self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check_open(self) -> None:
        """Raise :class:`quest22.errors.UsageError` if it is closed, or in a forked child."""
        self.home.check(self.checkpoint_name)
        if self._closed:
            raise UsageError(f"{self.checkpoint_name} is closed: load it again to transcribe more")

    def stream(
        self,
        dataset: DatasetSettings,
        after: Position | None = None,
        on_progress: OnProgress | None = None,
    ) -> Run:
        """A run over a dataset's rows; ``after`` resumes an earlier run after that row."""
        self.check_open()
        self.metrics.reset()
        network = network_client(self.settings, self.metrics)
        return self.run(dataset_source(dataset, network, after), on_progress=on_progress)

    def files(self, inputs: Sequence[str]) -> Run:
        """A run over files, folders, globs, URLs, or ``-`` for standard input."""
        self.check_open()
        self.metrics.reset()
        network = network_client(self.settings, self.metrics)
        return self.run(file_source(inputs, network, self.settings.engine.token))

    def run(
        self,
        clips: Source | Iterable[Clip | Failure],
        replay: ReplayStore | None = None,
        options: ClipOptions | None = None,
        on_progress: OnProgress | None = None,
        notes: DecodingNotes | None = None,
    ) -> Run:
        """A run over clips from any source; ``replay`` resumes an earlier process' run.

        With ``notes``, clips that crashed an earlier process are decoded apart. ``options`` are
        those of its clips, where they differ from the model's. ``on_progress`` is told how far open
        clips are, after each batch, in the thread that takes results. Raises
        :class:`quest22.errors.UsageError` for options that the model does not support.
        """
        self.check_open()
        strategy = self._strategy if options is None else self._strategy.configured(options)
        board = None if on_progress is None else ProgressBoard(on_progress)
        decoder = self._decoder(board, notes)
        engine = self._turns.view(urgent=False, exact=replay is not None)
        stages = Stages(clips, decoder, strategy, engine, board, self._is_ahead)
        return Run(stages, self.settings, self.metrics, replay)

    def loop(self, settings: LoopSettings | None = None) -> TranscriptionLoop:
        """Serve clips that arrive at any time, each with its own options."""
        from quest22.runtime.loop import LoopSettings, TranscriptionLoop

        self.check_open()
        settings = settings or LoopSettings(decoded_s=self.settings.memory.decoded_s)
        return TranscriptionLoop(
            self._turns, self._strategy, self.metrics, self._decoder(), settings
        )

    def live(self, options: ClipOptions) -> LiveSession:
        """Live captions of one speaker, by options whose ``live`` is set.

        All sessions share a loop, which ends when this is closed, or no longer used. Raises
        :class:`quest22.errors.UsageError` for options that the model does not support.
        """
        if self.settings.engine.draft_model is not None:
            raise UsageError(
                "live captions are decoded without a draft model: leave --draft-model out"
            )
        with self._opening:
            loop = self._loop_of_all()
            if not self._warm:
                self.warm_up()
                self._warm = True
            self._live_sessions += 1
            name = f"live {self._live_sessions}"
        return loop.live(Clip(name, name, b"", Origin("live")), options, owner=self)

    def begin(self, clip: Clip, options: ClipOptions | None = None) -> ClipHandle:
        """Transcribe a clip in the background, together with all others that are begun meanwhile.

        Raises as :meth:`live` does.
        """
        with self._opening:
            loop = self._loop_of_all()
        return loop.add(clip, options, partials=False)

    def _loop_of_all(self) -> TranscriptionLoop:
        """The loop of live sessions and of clips in the background."""
        self.check_open()
        if self._shared_loop is None or self._shared_loop.closed:
            self._shared_loop = loop = self.loop()
            weakref.finalize(self, loop.stop).atexit = False
        return self._shared_loop

    def warm_up(self) -> None:
        """Compile what the first windows would wait for, while nobody speaks yet.

        Live windows have words, also without quick ones, and contexts of any length.
        """
        hum = np.full(SAMPLE_RATE_HZ, 0.01, np.float32)
        quick = DecodingOptions(
            language="en",
            prefix=(0,),
            max_new_tokens=1,
            words=True,
            quick_words=True,
            audio_context="auto",
        )
        thorough = replace(quick, quick_words=False, audio_context="full")
        for decoding in (quick, thorough):
            self._turns.view(urgent=True).run([Window(hum, 0.0, decoding)])

    def _decoder(
        self, board: ProgressBoard | None = None, notes: DecodingNotes | None = None
    ) -> AudioDecoder:
        from quest22.audio.decode import MediaDecoder

        with _shortages_told("FFmpeg"):  # now: in a clip's stages, each clip would fail
            import av  # noqa: F401

        on_duration = None if board is None else board.note_duration
        decoder = MediaDecoder(self.settings.audio, self.metrics, on_duration)
        if notes is None:
            return decoder
        from quest22.audio.decode_apart import ProcessDecoder
        from quest22.audio.guarded_decoder import GuardedDecoder

        apart = ProcessDecoder(self.settings.audio, self.metrics, on_duration)
        return GuardedDecoder(decoder, apart, notes)


@contextmanager
def _shortages_told(what: str) -> Iterator[None]:
    """Turn what libraries raise without memory or threads into an EngineError."""
    try:
        yield
    except (MemoryError, RuntimeError, ImportError, OSError) as exc:
        reason = shortage(exc)
        if reason is None:
            raise
        raise EngineError(f"{what} cannot be loaded: {reason}") from exc


def with_model(settings: PipelineSettings) -> tuple[str, PipelineSettings]:
    """The model's name, and the settings that name it: the best in the caches if they name none.

    Raises :class:`quest22.errors.UsageError` if there is none.
    """
    if settings.engine.model is not None:
        return settings.engine.model, settings
    from quest22.checkpoint.caches import best_model

    model = best_model()
    return model, replace(settings, engine=replace(settings.engine, model=model))


def client_within(bounds: MemorySettings, metrics: Metrics) -> RetryingClient:
    """The client that the sources of a run share; prefetching stays within the memory limit."""
    from quest22.source.io.retry import NetworkSettings, RetryingClient

    return RetryingClient(NetworkSettings().within(bounds), metrics)


def network_client(
    settings: PipelineSettings, metrics: Metrics, connect: Connect = client_within
) -> RetryingClient:
    """The client of a run's sources: within its memory limit, and as patient as it says."""
    client = connect(settings.memory, metrics)
    if settings.retry_for_s is not None:
        client.settings = client.settings.patient(settings.retry_for_s)
    return client


def dataset_source(
    dataset: DatasetSettings,
    network: RetryingClient,
    after: Position | None = None,
    selected: Selection | None = None,
    earlier: ResumeState | None = None,
) -> DatasetSource:
    """A dataset's rows as clips; listed but not read, so that it can be opened before the model.

    ``after`` resumes an earlier run after that row, and skips reading earlier rows if ``earlier``
    has all keys that the run assigned; ``selected``: only certain rows. Raises
    :class:`quest22.errors.SourceError` and :class:`quest22.errors.UsageError`.
    """
    from quest22.source.dataset import DatasetSource

    return DatasetSource(
        dataset, network.metrics, after, selected, resume_state=earlier, client=network
    )


def file_source(
    inputs: Sequence[str], network: RetryingClient, token: str | None = None
) -> FilesSource:
    """Files, folders, globs, URLs, or ``-`` for standard input, as clips.

    Raises :class:`quest22.errors.SourceError` if none of them exists.
    """
    from quest22.source.files import FilesSource

    return FilesSource(inputs, metrics=network.metrics, token=token, client=network)


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """The stages of one run, in the order of flow.

    ``is_ahead``: the engine has a batch to run while others are prepared and written.
    """

    source: Source | Iterable[Clip | Failure]
    decoder: AudioDecoder
    strategy: ConfiguredStrategy
    engine: Engine
    progress: ProgressBoard | None = None
    is_ahead: bool = False


class Run:
    """One pass over a source: iterate it once, for one result per clip in the source's order.

    ``total`` is the number of clips if the source knows it, else None.
    """

    def __init__(
        self,
        stages: Stages,
        settings: PipelineSettings,
        metrics: Metrics,
        replay: ReplayStore | None = None,
    ) -> None:
        self.metrics = metrics
        self.total = len(stages.source) if isinstance(stages.source, Sized) else None
        self._results = _results(stages, settings, metrics, replay)

    def __iter__(self) -> Iterator[Transcript | Failure]:
        return self._results

    def close(self) -> None:
        """Stop early: end the threads and close the files."""
        self._results.close()


def _results(
    stages: Stages, settings: PipelineSettings, metrics: Metrics, replay: ReplayStore | None
) -> Generator[Transcript | Failure, None, None]:
    from quest22.audio.pool import decode_ahead

    home = HomeProcess()
    audios = kept_in_children(
        decode_ahead(stages.source, stages.decoder, settings.audio, metrics, settings.memory)
    )
    ahead = BatchesAhead(stages.engine)
    engine = ahead if stages.is_ahead else stages.engine
    driver = OrderedDriver(
        engine, stages.strategy, metrics, replay=replay, progress=stages.progress
    )
    results = kept_in_children(driver.run(audios))
    with (
        metrics.run(),
        _closing_at_home(audios, home),
        closing(ahead),
        _closing_at_home(results, home),
    ):
        for result in results:
            yield result
            home.check("the model of this run")


@contextmanager
def _closing_at_home(stage: Generator[Any, None, None], home: HomeProcess) -> Iterator[None]:
    """A forked child has none of the threads that closing would wait for."""
    try:
        yield
    finally:
        if home.is_here:
            stage.close()
