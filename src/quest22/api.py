"""The Python face: a loaded model with two verbs, and the same two verbs as functions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

import numpy as np

from quest22 import runs
from quest22.checkpoint.languages import language_code
from quest22.errors import ClipError, UsageError
from quest22.records import Clip, Failure, Media, Origin, Samples, Task, Transcript
from quest22.runs.context import reusing
from quest22.runs.events import OnEvent, ignore_event
from quest22.runs.retry import retry_all
from quest22.runs.settings import RunSettings
from quest22.runs.status import FolderStatus, RunStatus
from quest22.runs.summary import RunSummary
from quest22.runtime.build import Pipeline, PipelineSettings, Run
from quest22.settings import (
    DEFAULT_MODEL,
    MEMORY_BYTES,
    AudioSettings,
    DatasetSettings,
    DecodingSettings,
    EngineSettings,
    HallucinationSettings,
    LongFormName,
    LongFormSettings,
    MemorySettings,
    VadMode,
    VadSettings,
    hub_token,
)
from quest22.settings.quantities import parse_size
from quest22.sink.build import parse_formats
from quest22.sink.captions import TIMED
from quest22.sink.hub_repository import HubSettings

if TYPE_CHECKING:
    from typing_extensions import Unpack

Sound: TypeAlias = str | Path | bytes | Samples
"""A path or URL, a file's bytes, or mono float32 samples at 16 kHz."""

OnFailure: TypeAlias = Callable[[Failure], None]

_log = logging.getLogger("quest22")


class Options(TypedDict, total=False):
    """The options of a model, by the names that users of Whisper know.

    Their meanings and defaults: :mod:`quest22.settings`.
    """

    revision: str | None
    device: str
    compute_type: str
    batch_size: int | None
    threads: int | None
    token: str | None
    language: str | None
    task: Task
    timestamps: bool
    max_new_tokens: int | None
    languages: str | Iterable[str]
    language_threshold: float
    fallback_language: str | None
    multilingual: bool | None
    initial_prompt: str | None
    carry_initial_prompt: bool
    prefix: str | None
    hotwords: str | None
    condition_on_previous_text: bool
    suppress_tokens: Iterable[int]
    suppress_blank: bool
    suppress_numerals: bool
    max_initial_timestamp: float | None
    temperature: float | Iterable[float] | None
    beam_size: int
    patience: float
    best_of: int
    length_penalty: float | None
    repetition_penalty: float
    no_repeat_ngram_size: int
    sampling_seed: int
    compression_ratio_threshold: float | None
    logprob_threshold: float | None
    no_speech_threshold: float | None
    hallucination_silence_threshold: float | None
    max_repeats: int | None
    max_speaking_rate: float | None
    long_form: LongFormName
    clip_timestamps: Iterable[float]
    word_timestamps: bool
    prepend_punctuations: str
    append_punctuations: str
    chunk_length_s: float
    stride_length_s: float | tuple[float, float]
    vad: VadMode
    vad_threshold: float
    vad_neg_threshold: float | None
    vad_min_speech_duration_ms: int
    vad_max_speech_duration_s: float | None
    vad_min_silence_duration_ms: int | None
    vad_speech_pad_ms: int
    channel: int | None
    workers: int | None
    max_duration_s: float
    memory: str | int


class DatasetOptions(TypedDict, total=False):
    """Which rows of a dataset, and its columns: see :class:`quest22.settings.DatasetSettings`."""

    split: str
    dataset_revision: str | None
    data_files: str | Iterable[str]
    audio_column: str | None
    text_column: str | None
    id_column: str | None
    keep_columns: Iterable[str]
    take: int | None
    skip: int
    shuffle: bool
    buffer_size: int
    seed: int
    num_shards: int
    shard_index: int


class StreamOptions(Options, DatasetOptions, total=False):
    """What :func:`stream` takes: a model's options and a dataset's."""


class Transcriber:
    """A loaded Whisper checkpoint; loading happens once, here.

    Raises :class:`quest22.errors.CheckpointError` and :class:`quest22.errors.UsageError`.
    """

    def __init__(self, model: str = DEFAULT_MODEL, **options: Unpack[Options]) -> None:
        self._job = Pipeline(_job_settings(model, dict(options)))

    def transcribe(self, sound: Sound) -> Transcript:
        """Transcribe one sound; raises :class:`quest22.errors.ClipError` if that cannot be."""
        (result,) = self._job.run([_clip(0, sound)])
        if isinstance(result, Failure):
            raise ClipError(result.stage, f"{result.name}: {result.reason}")
        return result

    def transcribe_many(
        self, sounds: Iterable[Sound], on_failure: OnFailure | None = None
    ) -> Iterator[Transcript]:
        """Transcribe several sounds, batched together; yields Transcripts in their order.

        What cannot be transcribed is handed to ``on_failure`` (by default logged as a warning).
        """
        clips = (_clip(index, sound) for index, sound in enumerate(sounds))
        return _transcripts(self._job.run(clips), on_failure)

    def stream(
        self,
        dataset: str,
        config: str | None = None,
        *,
        on_failure: OnFailure | None = None,
        **rows: Unpack[DatasetOptions],
    ) -> Iterator[Transcript]:
        """Transcribe a dataset as it streams in; yields Transcripts in the order of its rows.

        Rows that cannot be transcribed are handed to ``on_failure`` (by default logged as a
        warning). Raises :class:`quest22.errors.SourceError` for what cannot be found or reached.
        """
        run = self._job.stream(_dataset_settings(dataset, config, dict(rows)))
        return _transcripts(run, on_failure)

    def stream_to(
        self,
        folder: str | Path,
        dataset: str,
        config: str | None = None,
        *,
        formats: str | Iterable[str] = "jsonl",
        push_to_hub: str | None = None,
        on_event: OnEvent = ignore_event,
        **rows: Unpack[DatasetOptions],
    ) -> RunSummary:
        """Transcribe a dataset into a folder, as ``quest22 stream … -o FOLDER`` does.

        A run that stopped early, by an error or Ctrl-C, continues with the same call or the same
        command; one that is finished is left alone. ``formats`` are those of ``--output-format``;
        captions need ``timestamps=True``. ``push_to_hub`` names a dataset to publish to.
        ``on_event`` is called with each event of the run: see :mod:`quest22.runs.events`.

        Raises:
            UsageError: The folder holds a run with other settings, or another process writes there.
            Quest22Error: The source or an output fails: see :mod:`quest22.errors`.
        """
        settings = _run_settings(
            self._job.settings,
            _dataset_settings(dataset, config, dict(rows)),
            formats,
            push_to_hub,
        )
        return runs.run(
            settings,
            runs.LocalRunStore(Path(folder)),
            on_event,
            load=reusing(self._job),
            metrics=self._job.metrics,
        )


def transcribe(sound: Sound, model: str = DEFAULT_MODEL, **options: Unpack[Options]) -> Transcript:
    """Load a model and transcribe one sound: see :meth:`Transcriber.transcribe`."""
    return Transcriber(model, **options).transcribe(sound)


def stream(
    dataset: str,
    config: str | None = None,
    *,
    model: str = DEFAULT_MODEL,
    **options: Unpack[StreamOptions],
) -> Iterator[Transcript]:
    """Load a model and transcribe a dataset as it streams in: see :meth:`Transcriber.stream`."""
    named: dict[str, Any] = dict(options)
    rows = {name: named.pop(name) for name in DatasetOptions.__annotations__ if name in named}
    run = Pipeline(_job_settings(model, named)).stream(_dataset_settings(dataset, config, rows))
    return _transcripts(run, None)


def _transcripts(run: Run, on_failure: OnFailure | None) -> Iterator[Transcript]:
    report = on_failure or _warn
    try:
        for result in run:
            if isinstance(result, Failure):
                report(result)
            else:
                yield result
    finally:
        run.close()


def _warn(failure: Failure) -> None:
    _log.warning("%s: not transcribed (%s): %s", failure.name, failure.stage, failure.reason)


def _clip(index: int, sound: Sound) -> Clip:
    """A clip of its own for one sound; a path's existence is checked when it is decoded."""
    if isinstance(sound, (str, Path)):
        from quest22.source.io.address import is_url, redact
        from quest22.source.io.media import media_opener

        address = str(sound)
        media: Media = media_opener(address) if is_url(address) else Path(address)
        name = redact(address)
        return Clip(f"{index}:{name}", name, media, Origin(name))
    if isinstance(sound, bytes):
        return Clip(str(index), f"sound {index}", sound, Origin("memory", row=index))
    return Clip(str(index), f"sound {index}", _checked(sound), Origin("memory", row=index))


def _checked(samples: Samples) -> Media:
    if samples.ndim != 1 or samples.dtype != np.float32:
        raise UsageError(
            f"samples of shape {samples.shape} and type {samples.dtype}: expected mono float32 at "
            "16 kHz, shape [samples]"
        )
    return samples


def _job_settings(model: str, options: dict[str, Any]) -> PipelineSettings:
    if "stride_length_s" in options:
        stride = options.pop("stride_length_s")
        options["stride_s"] = stride if isinstance(stride, tuple) else (stride, stride)
    _name_languages(options)
    for name in ("suppress_tokens", "temperature", "clip_timestamps"):
        if isinstance(value := options.get(name), Iterable):
            options[name] = tuple(value)
    if isinstance(options.get("temperature"), (int, float)):
        options["temperature"] = (options["temperature"],)
    if options.get("long_form") == "sequential":
        options.setdefault("timestamps", True)
    settings = PipelineSettings(
        EngineSettings(model, **_taken(EngineSettings, options)),
        DecodingSettings(**_taken(DecodingSettings, options)),
        LongFormSettings(**_taken(LongFormSettings, options)),
        AudioSettings(**_taken(AudioSettings, options)),
        HallucinationSettings(**_taken(HallucinationSettings, options)),
        memory=MemorySettings.of(_bytes(options.pop("memory", MEMORY_BYTES))),
        vad=VadSettings(**_taken(VadSettings, options)),
    )
    if options:
        raise UsageError(f"unknown option {min(options)!r}: see quest22.api.Options for the names")
    return settings


def _name_languages(options: dict[str, Any]) -> None:
    """Languages by name or code to codes; ``auto``: none."""
    for name in ("language", "fallback_language"):
        if value := options.get(name):
            options[name] = None if value == "auto" else language_code(value)
    if value := options.get("languages"):
        names = value.split(",") if isinstance(value, str) else value
        options["languages"] = tuple(map(language_code, names))


def _bytes(size: str | int) -> int:
    return parse_size(size) if isinstance(size, str) else size


def _taken(group: type[Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options that belong to a group of settings, taken out of ``options``."""
    return {each.name: options.pop(each.name) for each in fields(group) if each.name in options}


def _dataset_settings(path: str, config: str | None, rows: dict[str, Any]) -> DatasetSettings:
    if "dataset_revision" in rows:
        rows["revision"] = rows.pop("dataset_revision")
    for name in ("data_files", "keep_columns"):
        if name in rows:
            rows[name] = (rows[name],) if isinstance(rows[name], str) else tuple(rows[name])
    unknown = set(rows) - {each.name for each in fields(DatasetSettings)}
    if unknown:
        raise UsageError(f"unknown option {min(unknown)!r}: see quest22.api.DatasetOptions")
    return DatasetSettings(path, config, **rows)


def retry(
    folder: str | Path,
    *,
    batch_size: int | None = None,
    threads: int | None = None,
    token: str | None = None,
    on_event: OnEvent = ignore_event,
) -> RunSummary:
    """Run the failed clips of a run into a folder again, as ``quest22 retry FOLDER`` does.

    The model and all settings that decide results are those of the run. Of a folder with shards,
    each is retried; the summary is the sum.

    Raises:
        UsageError: The folder holds no run, or another process writes there.
        Quest22Error: The model, the source or an output fails: see :mod:`quest22.errors`.
    """
    engine = EngineSettings(batch_size=batch_size, threads=threads, token=token or hub_token())
    return retry_all(Path(folder), engine, on_event)


def status(folder: str | Path) -> RunStatus | FolderStatus:
    """Where a run into a folder stands, as ``quest22 status FOLDER`` shows it.

    Gives a :class:`FolderStatus` for a folder with shards. Raises
    :class:`quest22.errors.UsageError` where there is no run.
    """
    return runs.status(Path(folder))


def _run_settings(
    pipeline: PipelineSettings,
    dataset: DatasetSettings,
    formats: str | Iterable[str],
    push_to_hub: str | None,
) -> RunSettings:
    token = pipeline.engine.token or hub_token()
    names = parse_formats((formats,) if isinstance(formats, str) else formats)
    timed = sorted(TIMED.intersection(names))
    if timed and not pipeline.decoding.timestamps:
        raise UsageError(
            f"{', '.join(timed)} need times: make the Transcriber with timestamps=True"
        )
    hub = HubSettings(push_to_hub, token=token) if push_to_hub else None
    dataset = replace(dataset, token=dataset.token or token)
    if dataset.shuffle:
        dataset = replace(dataset, buffer_bytes=pipeline.memory.shuffled_bytes)
    return RunSettings(dataset, pipeline, names, push_to_hub=hub)
