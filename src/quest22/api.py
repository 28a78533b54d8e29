"""The Python API: a loaded model, and functions that load one for a single call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sized
from contextlib import closing
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from quest22 import runs
from quest22.env import hub_token
from quest22.errors import ClipError, UsageError
from quest22.options import (
    CaptionOptions,
    ClusterOptions,
    DatasetOptions,
    LiveModelOptions,
    LiveOptions,
    Options,
    StreamOptions,
    StreamToOptions,
    TranscribeOptions,
)
from quest22.progress import followed, with_progress
from quest22.records import Clip, Failure, Media, Origin, Transcript
from quest22.runs.context import Reusing
from quest22.runs.events import OnEvent, ignore_event
from quest22.runs.export import ExportSettings, ExportSummary
from quest22.runs.export import export as export_run
from quest22.runs.retry_failed import retry_all
from quest22.runs.run_status import FolderStatus, RunStatus
from quest22.runs.settings import RunSettings, formats_with_times
from quest22.runs.summary import RunSummary
from quest22.runtime.build import Pipeline, Run, network_client
from quest22.settings import (
    CaptionSettings,
    DatasetSettings,
    EngineSettings,
    FailureSettings,
    HubSettings,
    PipelineSettings,
    parse_formats,
)
from quest22.settings.clip_options import ClipOptions, refuse_recordings_only
from quest22.settings.option import check_type, refuse_unknown, take_group
from quest22.settings.python_names import naming_options
from quest22.sounds import Sound, address, media

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from quest22.runtime.live_session import LiveSession

OnFailure: TypeAlias = Callable[[Failure], None]
Results: TypeAlias = Run | Generator[Transcript | Failure, None, None]
"""What a run gives, for one who takes it and closes it."""

_log = logging.getLogger("quest22")


class Transcriber:
    """A loaded Whisper checkpoint. The constructor loads it.

    Without ``model``, the best checkpoint in the caches is taken, and named in a warning. Safe to
    share between threads: calls take turns with the model, batch by batch. A forked child loads its
    own: in it, the parent's raises ``UsageError``. ``close``, or a
    ``with`` block, frees its memory. ``revision`` is the model's.

    Raises :class:`quest22.errors.CheckpointError` and :class:`quest22.errors.UsageError`.
    """

    @naming_options()
    def __init__(self, model: str | None = None, **options: Unpack[Options]) -> None:
        self._pipeline = Pipeline(_pipeline_settings(model, dict(options)))

    def close(self) -> None:
        """Free the model's memory. Whatever is called afterwards raises ``UsageError``."""
        self._pipeline.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @naming_options()
    def transcribe(
        self, sound: Sound, *, progress: bool = False, **options: Unpack[TranscribeOptions]
    ) -> Transcript:
        """Transcribe one recording; raises :class:`quest22.errors.ClipError` if that fails.

        ``sound`` is a path, a URL, bytes, an open file, samples, samples with their rate, or a
        record of ``datasets``: see :data:`quest22.sounds.Sound`. What is none of these raises
        :class:`quest22.errors.UsageError`.

        ``progress`` shows how far it is: see :mod:`quest22.progress`.
        ``options`` are for this call; those not named are the Transcriber's.
        """
        with closing(self._run([sound], dict(options), progress=progress)) as results:
            (result,) = results
        return _succeeded(result)

    async def atranscribe(self, sound: Sound, **options: Unpack[TranscribeOptions]) -> Transcript:
        """:meth:`transcribe` for asynchronous code.

        Recordings that are awaited at the same time, as with ``asyncio.gather``, share batches. A
        task that is cancelled takes its recording with it.
        """
        with naming_options():
            clip = self._clip(0, sound)
            if isinstance(clip, Failure):
                return _succeeded(clip)
            handle = self._pipeline.begin(clip, self._clip_options(dict(options)))
            try:
                async for _ in handle:
                    pass
                return _succeeded(handle.result())
            finally:
                handle.cancel()

    @naming_options()
    def transcribe_many(
        self,
        sounds: Iterable[Sound],
        on_failure: OnFailure | None = None,
        *,
        progress: bool = False,
        **options: Unpack[TranscribeOptions],
    ) -> Iterator[Transcript]:
        """Transcribe several recordings, batched together; yields Transcripts in their order.

        Failures are passed to ``on_failure`` (by default logged as a warning). ``progress`` shows
        how far they are: see :mod:`quest22.progress`.
        ``options`` are for this call; those not named are the Transcriber's.
        """
        _refuse_one(sounds)
        return _transcripts(self._run(sounds, dict(options), progress=progress), on_failure)

    def _run(self, sounds: Iterable[Sound], options: dict[str, Any], *, progress: bool) -> Results:
        clip_options = self._clip_options(options)
        clips = (self._clip(index, sound) for index, sound in enumerate(sounds))
        if not progress:
            return self._pipeline.run(clips, options=clip_options)
        return followed(
            lambda told: self._pipeline.run(clips, options=clip_options, on_progress=told),
            len(sounds) if isinstance(sounds, Sized) else None,
        )

    def _clip_options(self, options: dict[str, Any]) -> ClipOptions | None:
        clip_options = ClipOptions.take(options, self._pipeline.settings.for_clips())
        refuse_unknown(options, TranscribeOptions)
        return clip_options

    @naming_options()
    def live(self, **options: Unpack[LiveOptions]) -> LiveSession:
        """Live captions of sound that is still spoken: feed the session, and iterate its events.

        Any number of sessions may be open; their windows take turns, and go before those of
        recordings that are transcribed meanwhile. ``options`` are for this session; those not named
        are the Transcriber's. Raises :class:`quest22.errors.UsageError` for what the model does not
        support. Use it in a ``with`` or ``async with`` block; closing the Transcriber cancels it.
        """
        named: dict[str, Any] = dict(options)
        clip_options = ClipOptions.take_live(named, self._pipeline.settings.for_clips())
        refuse_unknown(named, LiveOptions)
        return self._pipeline.live(clip_options)

    @naming_options()
    def stream(
        self,
        dataset: str,
        config: str | None = None,
        *,
        on_failure: OnFailure | None = None,
        progress: bool = False,
        **rows: Unpack[DatasetOptions],
    ) -> Iterator[Transcript]:
        """Transcribe a dataset as it streams in; yields Transcripts in the order of its rows.

        Rows that cannot be transcribed are passed to ``on_failure`` (by default logged as a
        warning). ``progress`` shows how far they are: see :mod:`quest22.progress`. ``revision`` is
        the dataset's. Raises :class:`quest22.errors.SourceError` if the
        dataset cannot be found or reached.
        """
        settings = _dataset_settings(dataset, config, dict(rows), self._pipeline.settings)
        results = _streamed(self._pipeline, settings, progress=progress)
        return _transcripts(results, on_failure)

    def _clip(self, index: int, sound: Sound) -> Clip | Failure:
        """One recording as a clip; whether a path exists is checked when it is decoded."""
        if isinstance(sound, (str, PathLike)):
            return self._clip_at(index, address(sound))
        key, name, origin = str(index), f"sound {index}", Origin("memory", row=index)
        try:
            return Clip(key, name, media(sound), origin)
        except ClipError as exc:
            return Failure(key, name, exc.stage, exc.reason, origin)

    def _clip_at(self, index: int, place: str) -> Clip:
        from quest22.source.io.address import is_url, redact
        from quest22.source.io.media import media_opener

        found: Media = Path(place)
        if is_url(place):
            pipeline = self._pipeline
            network = network_client(pipeline.settings, pipeline.metrics)
            found = media_opener(place, network)
        name = redact(place)
        return Clip(f"{index}:{name}", name, found, Origin(name))

    @naming_options()
    def stream_to(
        self,
        folder: str | Path,
        dataset: str,
        config: str | None = None,
        *,
        on_event: OnEvent = ignore_event,
        progress: bool = False,
        **options: Unpack[StreamToOptions],
    ) -> RunSummary:
        """Transcribe a dataset into a folder, as ``quest22 stream … -o FOLDER`` does.

        A run that stopped early, by an error or Ctrl-C, resumes with the same call or command; a
        finished run is left unchanged, unless ``restart=True``. ``formats`` defaults to ``jsonl``;
        captions need a Transcriber with ``timestamps=True``. ``revision`` is the dataset's.
        ``push_to_hub`` names a dataset to publish to, ``private=True`` creates it as a private one.
        ``on_event`` is called with each event of the run: see :mod:`quest22.runs.events`.
        ``progress`` shows how far it is: see :mod:`quest22.progress`. A run that began in another
        precision resumes in that one: the model is loaded a second time, which a warning and an
        event report.

        With ``cluster``, workers on many machines share the rows, as with ``quest22 stream …
        --cluster``: ``folder`` is their store, a folder or ``s3://BUCKET/PREFIX``. This model only
        makes the plan. In the summary, ``open_ends`` then counts units that failed, and ``stats``
        has counts alone.

        Raises:
            UsageError: The folder holds a run with other settings, or another process uses it.
            TooManyFailuresError: More clips than ``max_failures`` failed.
            Quest22Error: The source or an output fails: see :mod:`quest22.errors`.
        """
        self._pipeline.check_open()
        named = dict(options)
        on_cluster = _cluster_options(named)
        settings = _run_settings(self._pipeline.settings, dataset, config, named)
        if on_cluster is not None:
            from quest22.cluster.cluster_run import cluster_run, run_on_cluster

            given = cluster_run(settings, folder, on_cluster)
            return run_on_cluster(given, on_event, Reusing(self._pipeline))
        return runs.run(
            settings,
            runs.LocalRunStore(Path(folder)),
            with_progress(on_event) if progress else on_event,
            load=Reusing(self._pipeline),
            metrics=self._pipeline.metrics,
        )


def transcribe(
    sound: Sound, model: str | None = None, *, progress: bool = False, **options: Unpack[Options]
) -> Transcript:
    """Load a model and transcribe one recording: see :meth:`Transcriber.transcribe`."""
    with Transcriber(model, **options) as whisper:
        return whisper.transcribe(sound, progress=progress)


async def atranscribe(
    sound: Sound, model: str | None = None, **options: Unpack[Options]
) -> Transcript:
    """:func:`transcribe` for asynchronous code: see :meth:`Transcriber.atranscribe`.

    Loading the model, too, leaves the event loop free.
    """
    whisper = await asyncio.to_thread(Transcriber, model, **options)
    try:
        return await whisper.atranscribe(sound)
    finally:
        await asyncio.to_thread(whisper.close)


@naming_options()
def live(model: str | None = None, **options: Unpack[LiveModelOptions]) -> LiveSession:
    """Load a model for one session of live captions: see :meth:`Transcriber.live`.

    Closing the session, as a ``with`` block does, frees the model's memory.
    """
    named: dict[str, Any] = dict(options)
    refuse_recordings_only(named)
    of_session = _taken(named, LiveOptions)
    whisper = Transcriber(model, **named)
    try:
        session = whisper.live(**of_session)
    except BaseException:
        whisper.close()
        raise
    session.on_close(whisper.close)
    return session


@naming_options()
def stream(
    dataset: str,
    config: str | None = None,
    *,
    model: str | None = None,
    progress: bool = False,
    **options: Unpack[StreamOptions],
) -> Iterator[Transcript]:
    """Load a model and transcribe a dataset as it streams in: see :meth:`Transcriber.stream`.

    ``revision`` is the dataset's, as in ``datasets.load_dataset``; the model's is
    ``model_revision``.
    """
    named: dict[str, Any] = dict(options)
    rows = _taken(named, DatasetOptions)
    settings = _pipeline_settings(model, named)
    dataset_settings = _dataset_settings(dataset, config, rows, settings)
    pipeline = Pipeline(settings)
    results = _streamed(pipeline, dataset_settings, progress=progress)
    return _closing(pipeline, _transcripts(results, None))


def _refuse_one(sounds: Any) -> None:
    """Raise :class:`UsageError` for what is one recording, or none, where several are expected."""
    one = isinstance(sounds, str | bytes | bytearray | PathLike | Mapping)
    if one or _is_samples(sounds) or not isinstance(sounds, Iterable):
        given = f"{sounds!r:.80}" if isinstance(sounds, str | PathLike) else type(sounds).__name__
        raise UsageError(
            f"sounds is {given}: expected several recordings, such as a list of paths; "
            "transcribe takes one"
        )


def _is_samples(sounds: Any) -> bool:
    """Whether this is an array or a tensor of numbers in one dimension, rather than of paths."""
    kind = getattr(getattr(sounds, "dtype", None), "kind", "f")  # PyTorch's types have none
    return getattr(sounds, "ndim", None) == 1 and kind in "iuf"


def _taken(options: dict[str, Any], kind: type[Any]) -> Any:
    """The options that ``kind`` has, taken out of others."""
    return {name: options.pop(name) for name in kind.__annotations__ if name in options}


def _closing(pipeline: Pipeline, transcripts: Iterator[Transcript]) -> Iterator[Transcript]:
    with pipeline:
        yield from transcripts


def _succeeded(result: Transcript | Failure) -> Transcript:
    if isinstance(result, Failure):
        raise ClipError(result.stage, f"{result.name}: {result.reason}")
    return result


def _streamed(pipeline: Pipeline, rows: DatasetSettings, *, progress: bool) -> Results:
    if not progress:
        return pipeline.stream(rows)
    return followed(lambda told: pipeline.stream(rows, on_progress=told))


def _transcripts(results: Results, on_failure: OnFailure | None) -> Iterator[Transcript]:
    report = on_failure or _warn
    with naming_options(), closing(results):
        for result in results:
            if isinstance(result, Failure):
                report(result)
            else:
                yield result


def _warn(failure: Failure) -> None:
    _log.warning("%s: not transcribed (%s): %s", failure.name, failure.stage, failure.reason)


def _pipeline_settings(model: str | None, options: dict[str, Any]) -> PipelineSettings:
    """The settings of a model's options. Raises :class:`UsageError`, also for unknown names."""
    named = {**options, "model": model, "token": options.get("token") or hub_token()}
    _resolve_revision(named, "model_revision")
    settings = PipelineSettings.take(named)
    refuse_unknown(named, Options)
    return settings


def _dataset_settings(
    dataset: str, config: str | None, rows: dict[str, Any], pipeline: PipelineSettings
) -> DatasetSettings:
    """The rows selected by the options, with the token and the memory limit of the pipeline.

    Raises :class:`UsageError`, also for unknown names.
    """
    named = {**rows}
    settings = _take_dataset(dataset, config, named, pipeline)
    refuse_unknown(named, DatasetOptions)
    return settings


def _take_dataset(
    dataset: str, config: str | None, options: dict[str, Any], pipeline: PipelineSettings
) -> DatasetSettings:
    """The same; takes the options of a dataset out of others."""
    options |= {"dataset": dataset, "config": config}
    _resolve_revision(options, "dataset_revision")
    settings = replace(take_group(DatasetSettings, options), token=pipeline.engine.token)
    return settings.within(pipeline.memory)


def _resolve_revision(options: dict[str, Any], name: str) -> None:
    """``revision`` is short for ``name``."""
    if "revision" in options:
        revision = options.pop("revision")
        if options.setdefault(name, revision) != revision:
            raise UsageError(
                f"two revisions, {revision!r} and {options[name]!r}: name one, as {name}"
            )


@naming_options()
def retry(
    folder: str | Path,
    *,
    batch_size: int | None = None,
    threads: int | None = None,
    token: str | None = None,
    dataset: str | Iterable[str] = (),
    on_event: OnEvent = ignore_event,
) -> RunSummary:
    """Run the failed clips of a run into a folder again, as ``quest22 retry FOLDER`` does.

    The model and all settings that affect results are those of the run. In a folder with shards,
    each is retried; the summary is their sum. ``dataset`` is the address of the run's dataset
    or data files, needed if it has a query or a password, which no run keeps.

    Raises:
        UsageError: The folder holds no run, or another process uses it.
        Quest22Error: The model, the source or an output fails: see :mod:`quest22.errors`.
    """
    engine = EngineSettings(batch_size=batch_size, threads=threads, token=token or hub_token())
    addresses = (dataset,) if isinstance(dataset, str) else tuple(dataset)
    return retry_all(Path(folder), engine, on_event, addresses)


@naming_options()
def export(
    folder: str | Path,
    formats: str | Iterable[str],
    output_dir: str | Path | None = None,
    *,
    overwrite: bool = False,
    **captions: Unpack[CaptionOptions],
) -> list[ExportSummary]:
    """Write the transcripts of a run in other formats, as ``quest22 export FOLDER -f …`` does.

    Nothing is transcribed: they are made from what the run has written, finished or not. They go to
    the run's folder, unless ``output_dir`` is given. Returns a summary for each shard.

    Raises:
        UsageError: There are no transcripts that the formats can be made from, or a file would
            be replaced without ``overwrite``.
        SinkError: A file cannot be read or written.
    """
    options = dict(captions)
    layout = take_group(CaptionSettings, options)
    refuse_unknown(options, CaptionOptions)
    chosen = parse_formats((formats,) if isinstance(formats, str) else formats)
    target = None if output_dir is None else Path(output_dir)
    return export_run(Path(folder), ExportSettings(chosen, target, layout, overwrite))


@naming_options()
def status(folder: str | Path) -> RunStatus | FolderStatus:
    """The state of a run into a folder, as ``quest22 status FOLDER`` shows it.

    Returns a :class:`FolderStatus` for a folder with shards. Raises
    :class:`quest22.errors.UsageError` if there is no run.
    """
    return runs.status(Path(folder))


def _run_settings(
    pipeline: PipelineSettings, dataset: str, config: str | None, options: dict[str, Any]
) -> RunSettings:
    """What a run into a folder is asked to do. Raises :class:`UsageError`."""
    token = pipeline.engine.token or hub_token()
    rows = _take_dataset(dataset, config, options, pipeline)
    formats = options.pop("formats", "jsonl")
    restart = check_type("restart", options.pop("restart", False), bool)
    settings = RunSettings(
        replace(rows, token=rows.token or token),
        pipeline,
        formats=parse_formats((formats,) if isinstance(formats, str) else formats),
        captions=take_group(CaptionSettings, options),
        push_to_hub=HubSettings.take(options, token),
        max_failures=take_group(FailureSettings, options).limit,
        restart=restart,
    )
    refuse_unknown(options, StreamToOptions)
    _check_times(settings)
    return settings


def _cluster_options(options: dict[str, Any]) -> dict[str, Any] | None:
    """The options of a cluster, taken out of others; None without one.

    Raises :class:`UsageError` for options of a cluster without one.
    """
    named: dict[str, Any] = _taken(options, ClusterOptions)
    if named.get("cluster") is not None:
        return named
    given = sorted(name for name, value in named.items() if value is not None)
    if given:
        raise UsageError(f"{given[0]} is about a cluster: name it, such as cluster='local'")
    return None


def _check_times(settings: RunSettings) -> None:
    """Refuse outputs that need times which the Transcriber does not give."""
    decoding = settings.pipeline.decoding
    timed = formats_with_times(settings.formats)
    if timed and not decoding.timestamps:
        raise UsageError(
            f"{', '.join(timed)} require timestamps: create the Transcriber with timestamps=True"
        )
    if settings.captions.needs_words and not decoding.word_timestamps:
        raise UsageError(
            "the layout of captions needs times of words: make the Transcriber with "
            "word_timestamps=True"
        )
