"""The options of Python's functions, typed, so that editors complete and check them.

Made by: python -m tools.options, from :mod:`quest22.settings`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict


class TranscribeOptions(TypedDict, total=False):
    """How a clip is transcribed."""

    language: str | None
    """Language of the audio: ``ru`` or ``Russian``. Also ``ru-RU``; ``auto`` detects it.
    Default: detected.
    """

    task: Literal["transcribe", "translate"]
    """``transcribe``, or ``translate`` into English. Default: ``transcribe``."""

    timestamps: bool
    """Segments with start and end times. By default the command decides by the output formats.
    Default: ``False``.
    """

    max_new_tokens: int | None
    """Maximum number of new tokens per window. Default: 224 if sequential, else what the model
    has room for.
    """

    audio_context: Literal["auto", "full"] | float | None
    """How much of a 30 s window the model hears: ``full``; ``auto``, the sound and 6.4 s, which
    makes short clips several times as fast; or seconds, though never less than the sound.
    Default: auto where greedy decoding is sure, else full; full if chunked or sequential.
    """

    languages: str | Iterable[str]
    """Detect the language among these only: ``en,ru``. Default: all."""

    language_threshold: float
    """Use the fallback language if the detected one is less probable than this. Default:
    ``0.0``.
    """

    fallback_language: str | None
    """The language to use if detection is below the threshold. Default: none."""

    multilingual: bool | None
    """Detect the language in each window instead of once per clip. Default: each window if
    chunked, else once per clip.
    """

    initial_prompt: str | None
    """Text that guides names, spelling and style. The model takes it for what was said before
    the audio. Default: none.
    """

    carry_initial_prompt: bool
    """Sequential: put the initial prompt before every window, not only the first. Default:
    ``False``.
    """

    prefix: str | None
    """Text that the first window's text continues; it is not part of the transcript. Default:
    none.
    """

    hotwords: str | None
    """Words to expect, such as names; they go before every window. Default: none."""

    condition_on_previous_text: bool
    """Sequential: prompt each window with the text so far. Off, the model loops less. Default:
    ``True``.
    """

    suppress_tokens: Iterable[int]
    """Token ids that are never chosen; ``-1`` stands for the model's own list. Default: ``-1``."""

    suppress_blank: bool
    """Never begin a window with a blank. Default: ``True``."""

    suppress_numerals: bool
    """Spell numbers out: no digits and no currency signs. Default: ``False``."""

    max_initial_timestamp: float | None
    """The latest start of a window's first segment. Default: the model's, 1."""

    temperature: float | Iterable[float] | None
    """Sampling temperature; several are tried in order until a text passes the thresholds.
    Default: 0, then 0.4 and 0.8; 0 if chunked; 0, 0.2 … 1 if sequential.
    """

    beam_size: int | None
    """Number of beams at temperature 0, in every window. Default: by quality: 1 if fast, else 5
    where 1 is unsure; 1 if chunked or sequential.
    """

    patience: float
    """Beam search stops after this many times the beam size of finished hypotheses. Default:
    ``1.0``.
    """

    best_of: int | None
    """Number of samples above temperature 0; the most probable one is used. Default: 5; 1 if
    chunked or sequential.
    """

    length_penalty: float | None
    """Exponent of the length normalisation that ranks hypotheses, 0 to 1. Default: mean
    log-probability.
    """

    repetition_penalty: float
    """Above 1, tokens that the window already has become less probable. Default: ``1.0``."""

    no_repeat_ngram_size: int
    """Never repeat an n-gram of this many tokens within a window; 0 allows it. Default: ``0``."""

    sampling_seed: int
    """Random seed of the samples; they do not depend on the batch. Default: ``0``."""

    word_timestamps: bool
    """Start, end and probability of each word. In the command it implies ``timestamps=True``.
    Default: ``False``.
    """

    prepend_punctuations: str
    """Marks that belong to the word after them. Default: ``"'“¿([{-``."""

    append_punctuations: str
    """Marks that belong to the word before them. Default: ``"'.。,，!！?？:：”)]}、``."""

    chunk_length_s: float
    """Length of a window in seconds, at most 30. Default: ``30.0``."""

    stride_length_s: float | tuple[float, float]
    """Chunked: overlap on each side of a window, in seconds; one number, or ``left,right``.
    Default: ``5``.
    """

    long_form: Literal["pauses", "chunked", "sequential"]
    """``pauses``: cut at pauses, the most accurate. For parity: ``chunked``, overlapping
    windows, as Transformers; ``sequential``, one after another by timestamps, as
    openai/whisper. Default: ``pauses``.
    """

    clip_timestamps: float | Iterable[float]
    """Sequential: transcribe only these spans, in seconds: ``start,end,start,end …``; the last
    end may be left out. Default: all.
    """

    quality: Literal["fast", "balanced", "best"]
    """How much work a window gets: ``fast balanced best``. ``fast``: greedy decoding;
    ``balanced``: beams where that is unsure; ``best``: each window in several ways, and a
    vote. Default: ``balanced``.
    """

    compression_ratio_threshold: float | None
    """Above this gzip ratio the text is repetitive: try the next temperature. Default: ``2.4``."""

    logprob_threshold: float | None
    """Below this mean log-probability the text is improbable: try the next temperature. Default:
    ``-1.0``.
    """

    no_speech_threshold: float | None
    """Above this no-speech probability, drop improbable text as silence. Default: ``0.6``."""

    hallucination_silence_threshold: float | None
    """Sequential, with word timestamps: drop improbable words next to a silence longer than
    this. Default: ``off``.
    """

    max_repeats: int | None
    """Drop a repetitive segment if the same words repeat more often than this in a row. Default:
    ``10``.
    """

    max_speaking_rate: float | None
    """Drop segments spoken faster than this (characters per second). Default: ``100.0``."""

    vad: bool | Literal["off", "on", "auto"] | None
    """Skip audio without speech. ``auto`` skips silences only in clips longer than one window.
    Default: auto; chunked or sequential: windows without any speech.
    """

    vad_threshold: float
    """Speech starts at this probability. Default: ``0.5``."""

    vad_neg_threshold: float | None
    """Speech may end below this probability. Default: 0.2; threshold − 0.15 if chunked or
    sequential.
    """

    vad_min_speech_duration_ms: int
    """Ignore speech shorter than this. Default: ``0``."""

    vad_max_speech_duration_s: float | None
    """Cut speech longer than this at its last pause. Default: 29; 30 if chunked, no limit if
    sequential.
    """

    vad_min_silence_duration_ms: int | None
    """Silence of this length ends speech. Default: 2000; 160 if chunked."""

    vad_speech_pad_ms: int | None
    """Padding on each side of speech. Default: 500; 400 if chunked or sequential."""


class LiveOptions(TypedDict, total=False):
    """How a live session is transcribed: see :meth:`quest22.Transcriber.live`."""

    language: str | None
    """Language of the audio: ``ru`` or ``Russian``. Also ``ru-RU``; ``auto`` detects it.
    Default: detected.
    """

    task: Literal["transcribe", "translate"]
    """``transcribe``, or ``translate`` into English. Default: ``transcribe``."""

    max_new_tokens: int | None
    """Maximum number of new tokens per window. Default: 224 if sequential, else what the model
    has room for.
    """

    audio_context: Literal["auto", "full"] | float | None
    """How much of a 30 s window the model hears: ``full``; ``auto``, the sound and 6.4 s, which
    makes short clips several times as fast; or seconds, though never less than the sound.
    Default: auto where greedy decoding is sure, else full; full if chunked or sequential.
    """

    languages: str | Iterable[str]
    """Detect the language among these only: ``en,ru``. Default: all."""

    language_threshold: float
    """Use the fallback language if the detected one is less probable than this. Default:
    ``0.0``.
    """

    fallback_language: str | None
    """The language to use if detection is below the threshold. Default: none."""

    multilingual: bool | None
    """Detect the language in each window instead of once per clip. Default: each window if
    chunked, else once per clip.
    """

    initial_prompt: str | None
    """Text that guides names, spelling and style. The model takes it for what was said before
    the audio. Default: none.
    """

    carry_initial_prompt: bool
    """Sequential: put the initial prompt before every window, not only the first. Default:
    ``False``.
    """

    hotwords: str | None
    """Words to expect, such as names; they go before every window. Default: none."""

    condition_on_previous_text: bool
    """Sequential: prompt each window with the text so far. Off, the model loops less. Default:
    ``True``.
    """

    suppress_tokens: Iterable[int]
    """Token ids that are never chosen; ``-1`` stands for the model's own list. Default: ``-1``."""

    suppress_blank: bool
    """Never begin a window with a blank. Default: ``True``."""

    suppress_numerals: bool
    """Spell numbers out: no digits and no currency signs. Default: ``False``."""

    beam_size: int | None
    """Number of beams at temperature 0, in every window. Default: by quality: 1 if fast, else 5
    where 1 is unsure; 1 if chunked or sequential.
    """

    patience: float
    """Beam search stops after this many times the beam size of finished hypotheses. Default:
    ``1.0``.
    """

    best_of: int | None
    """Number of samples above temperature 0; the most probable one is used. Default: 5; 1 if
    chunked or sequential.
    """

    length_penalty: float | None
    """Exponent of the length normalisation that ranks hypotheses, 0 to 1. Default: mean
    log-probability.
    """

    repetition_penalty: float
    """Above 1, tokens that the window already has become less probable. Default: ``1.0``."""

    no_repeat_ngram_size: int
    """Never repeat an n-gram of this many tokens within a window; 0 allows it. Default: ``0``."""

    sampling_seed: int
    """Random seed of the samples; they do not depend on the batch. Default: ``0``."""

    prepend_punctuations: str
    """Marks that belong to the word after them. Default: ``"'“¿([{-``."""

    append_punctuations: str
    """Marks that belong to the word before them. Default: ``"'.。,，!！?？:：”)]}、``."""

    compression_ratio_threshold: float | None
    """Above this gzip ratio the text is repetitive: try the next temperature. Default: ``2.4``."""

    logprob_threshold: float | None
    """Below this mean log-probability the text is improbable: try the next temperature. Default:
    ``-1.0``.
    """

    no_speech_threshold: float | None
    """Above this no-speech probability, drop improbable text as silence. Default: ``0.6``."""

    max_repeats: int | None
    """Drop a repetitive segment if the same words repeat more often than this in a row. Default:
    ``10``.
    """

    max_speaking_rate: float | None
    """Drop segments spoken faster than this (characters per second). Default: ``100.0``."""

    vad_threshold: float
    """Speech starts at this probability. Default: ``0.5``."""

    vad_neg_threshold: float | None
    """Speech may end below this probability. Default: 0.2; threshold − 0.15 if chunked or
    sequential.
    """

    vad_min_speech_duration_ms: int
    """Ignore speech shorter than this. Default: ``0``."""

    policy: Literal["alignatt", "local-agreement", "both"]
    """When words are committed: ``alignatt``, ``local-agreement`` or ``both``. ``alignatt``:
    when the model attends to audio well before the end; ``local-agreement``: when two steps
    agree on them; ``both``: when both hold. Default: ``alignatt``.
    """

    step_s: float
    """Update the text after this much more audio; sooner where speech begins, later if the
    machine is busy. Default: ``0.5``.
    """

    hold_back_s: float
    """Words that end in the last seconds of the audio are not committed. Default: ``0.4``."""

    endpoint_ms: int
    """Silence of this length ends a segment. Default: ``300``."""

    sure_endpoint_ms: int | None
    """Silence of this length ends a segment where its text is certain. Default: two thirds of
    endpoint_ms.
    """

    unfinished_endpoint_ms: int | None
    """Silence of this length ends a segment whose sentence seems to go on. Default: twice
    endpoint_ms.
    """

    eager_ms: int
    """Silence of this length starts work on the final text, so that it is ready at the end of
    the segment. Default: ``64``.
    """

    max_segment_s: float
    """Speech without a pause is committed and cut after this time, at most 28. Default:
    ``28.0``.
    """

    history_h: float
    """The transcript at the end of a session has its last hours only, so that memory does not
    grow for ever; events and outputs have all. Default: ``8.0``.
    """

    pre_roll_ms: int
    """How much sound before the voice is heard with it: soft beginnings are detected late.
    Default: ``300``.
    """

    voice_events: bool
    """Also tell when speech starts and stops, and when a flush is done. Default: ``False``."""


class EngineOptions(TypedDict, total=False):
    """A model, and how it runs."""

    model_revision: str | None
    """Branch, tag or commit of the model. Default: none."""

    engine: Literal["auto", "native", "openvino", "torch"]
    """What runs the model: ``auto`` (PyTorch where there is a CUDA GPU for it, else the CPU),
    ``native`` or ``openvino`` (CPU), or ``torch``. Default: ``auto``.
    """

    draft_model: str | None
    """A smaller model with the same tokens, such as distil-whisper's, that guesses what the
    model then checks, several tokens at once: the same text. Named as ``model`` is. Default:
    none.
    """

    device: str
    """Where the model runs: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` … or ``mps``. Default:
    ``auto``.
    """

    devices: str | int | Iterable[str | int]
    """Several devices that share the work, with a process each: ``all`` (all GPUs), ``0,1,3``
    (GPUs by number), or ``cpu,cpu``. Default: one, as device has it.
    """

    device_map: Literal["off", "auto"]
    """``auto``: layers that do not fit into a GPU's memory stay in the machine's or, if that is
    full, in their files, and come when they are needed. ``off``: all layers are on the
    device. Default: ``off``.
    """

    compute_type: str
    """Precision of the computation: ``auto`` (the fastest one without int8 weights),
    ``float32``, ``bfloat16``, ``int8``, ``int8_kv`` … Default: ``auto``.
    """

    quantization: Literal["none", "int8", "int4"]
    """Keep weights in ``int8`` or ``int4``, for less memory, and multiply as ``compute_type``
    says. ``none``: weights, too, are as it says. Default: ``none``.
    """

    batch_size: int | None
    """Windows per batch, or ``auto``. Default: ``auto``."""

    threads: int | None
    """CPU threads of the engine. Default: $QUEST22_THREADS, else all cores."""

    token: str | None
    """Access token for gated and private repositories. Prefer ``HF_TOKEN`` or ``hf auth login``:
    other users can see a command line. Default: none.
    """

    channel: int | Literal["each"] | None
    """Use one channel, counting from 0, instead of the mix of all; or transcribe ``each`` for
    itself, as of calls, into one transcript. Default: the mix.
    """

    audio_track: int | str | None
    """Of several audio tracks, use this one: its number, counting from 0, or its language, such
    as ``eng``. Default: the default track.
    """

    workers: int | None
    """Threads that decode audio. Default: one per core, 4 to 8."""

    max_duration_s: float | str
    """Fail recordings longer than this: ``90m``, ``24h`` … Default: ``24h``."""

    max_damage: float
    """Fail damaged recordings of which a larger share is missing. Default: ``0.9``."""

    memory: int | str
    """Memory for buffers, in addition to the program and the model: ``512M``, ``2G`` … Default:
    ``1G``.
    """

    retry_for_s: float | str | None
    """Retry a server that fails for so long: ``30s``, ``10m`` … Default: 5m; 4s if it has never
    answered.
    """


class ModelOptions(TranscribeOptions, EngineOptions, total=False):
    """A model, and how it transcribes."""


class LiveModelOptions(LiveOptions, EngineOptions, total=False):
    """A model, and how a live session is transcribed: what :func:`quest22.live` takes."""

    revision: str | None
    """The same as ``model_revision``."""


class Options(ModelOptions, total=False):
    """What :class:`quest22.Transcriber` and :func:`quest22.transcribe` take."""

    revision: str | None
    """The same as ``model_revision``."""


class DatasetOptions(TypedDict, total=False):
    """Which rows of a dataset."""

    split: str
    """The split to stream. Default: ``train``."""

    dataset_revision: str | None
    """Branch, tag or commit of the dataset. Default: none."""

    data_files: str | Iterable[str]
    """Files, globs or URLs (``https:// s3:// hf://``). Repeat the flag for more. Default: none."""

    audio_column: str | None
    """The column that holds the audio. Default: found by its type."""

    text_column: str | None
    """The column that holds the reference text. Default: found by its name."""

    id_column: str | None
    """The column that identifies a row. Default: found by its name."""

    offset_column: str | None
    """The column that says where in its recording a row begins, in seconds. Default: 'offset',
    where rows refer to recordings.
    """

    duration_column: str | None
    """The column that says how many seconds of its recording a row is. Default: 'duration',
    beside an offset or in NeMo's manifests.
    """

    keep_columns: str | Iterable[str]
    """Columns copied to the output: ``a,b``. Or repeat the flag. ``'*'`` keeps all that hold no
    audio, which is the default with ``push_to_hub``. Default: none.
    """

    take: int | None
    """Stop after this many rows. Default: all."""

    skip: int
    """Skip this many rows at the start. Default: ``0``."""

    shuffle: bool
    """Shuffle shards and rows. Default: ``False``."""

    buffer_size: int
    """Rows in the shuffle buffer; it holds fewer if they reach half of ``memory`` first.
    Default: ``1000``.
    """

    seed: int
    """Random seed of the shuffle. Default: ``0``."""

    num_shards: int
    """Split the rows into this many shards … Default: ``1``."""

    shard_index: int
    """… and run this one, counting from 0. Default: ``0``."""

    revision: str | None
    """The same as ``dataset_revision``, as in ``datasets.load_dataset``."""


class CaptionOptions(TypedDict, total=False):
    """How captions look."""

    caption_length: int | None
    """Split captions of ``srt`` and ``vtt`` that are longer than this, or than 7 seconds, where
    the text allows it best, and lay them out in two lines; ``off``: one for each segment, as
    openai/whisper. Other options of this group take precedence. Default: ``84``.
    """

    max_line_width: int | None
    """Break lines longer than this between words. Default: no limit."""

    max_line_count: int | None
    """Maximum number of lines in a caption; requires ``max_line_width``. Text then flows across
    segments. Default: no limit.
    """

    max_words_per_line: int | None
    """Maximum number of words in a caption. Default: no limit."""

    highlight_words: bool
    """Underline each word as it is spoken. Default: ``False``."""

    sentences: bool
    """Begin a new caption with each sentence instead of each segment. Default: ``False``."""


class OutputOptions(CaptionOptions, total=False):
    """What a run into a folder writes."""

    formats: str | Iterable[str]
    """``txt srt vtt tsv json lrc ass jsonl parquet``, or several: ``srt,vtt``. ``jsonl`` and
    ``parquet`` have a row per clip, the others a file per clip. ``all`` stands for the first
    five. The flag may be repeated. Default: txt for files, jsonl for datasets.
    """

    restart: bool
    """Start over, replacing an earlier run in the folder. Default: ``False``."""

    on_error: Literal["skip", "stop"]
    """When a clip fails: ``skip`` it, or ``stop`` the run. Default: ``skip``."""

    max_failures: int | None
    """Stop when more clips than this have failed. Default: no limit."""

    push_to_hub: str | None
    """Publish the transcripts on the Hub during the run. They become a dataset; requires
    ``folder``. Default: not published.
    """

    private: bool
    """Make the published dataset private. Default: ``False``."""

    hub_commit_every: int | str
    """Commit at this interval (``10m``, ``1h``), or after this many transcripts (``5000``).
    Default: ``10m``.
    """


class ClusterOptions(TypedDict, total=False):
    """Whether and how a run is done by the workers of a cluster."""

    cluster: str | None
    """Run on a Ray cluster: ``local`` (this machine alone), ``auto`` (the cluster that this
    machine is in, or ``RAY_ADDRESS``), or ``ray://HOST:10001``. The folder is then a
    cluster's store, and may be ``s3://BUCKET/PREFIX``. Default: no cluster.
    """

    cluster_workers: int | str | tuple[int, int] | None
    """How many workers: ``4``, or the least and the most, ``2:16``, between which the number
    follows the work that is left. Default: as many as there is room for at the start.
    """

    worker_cpus: int | None
    """Cores of each worker. Default: those of a machine, at most 8."""

    finish_in: float | str | None
    """Between the least and the most, as few workers as finish within this time. Default: as
    many as are worth their start.
    """

    unit: float | str
    """About how much sound a worker takes at a time: ``1h``. It is estimated from sizes or
    durations. Default: ``20m``.
    """

    lease: float | str
    """A worker that shows no sign of life for so long loses its work to another. Default:
    ``2m``.
    """

    max_attempts: int
    """How often a unit of work is tried before it counts as failed. Default: ``3``."""


class StreamOptions(ModelOptions, DatasetOptions, total=False):
    """The options of a model and of a dataset: what :func:`quest22.stream` takes."""


class StreamToOptions(DatasetOptions, OutputOptions, ClusterOptions, total=False):
    """What :meth:`quest22.Transcriber.stream_to` takes."""
