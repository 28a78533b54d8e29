"""What a run is asked to do: frozen values, checked once, passed in.

The environment is read here and nowhere else.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from quest22.errors import UsageError
from quest22.records import (
    SAMPLE_RATE_HZ,
    WINDOW_S,
    DetectionOptions,
    SearchOptions,
    SuppressionOptions,
    Task,
)

DEFAULT_MODEL = "nano"
LongFormName: TypeAlias = Literal["chunked", "sequential"]
VadMode: TypeAlias = Literal["off", "on", "auto"]
PREPEND_PUNCTUATIONS = "\"'“¿([{-"
APPEND_PUNCTUATIONS = "\"'.。,，!！?？:：”)]}、"
"""Marks that count as part of a word, as in openai/whisper."""

MEMORY_BYTES = 1 << 30
LEAST_MEMORY_BYTES = 64 << 20
SAMPLE_BYTES = 4
ALL_COLUMNS = "*"
"""Among the columns to keep: every one that holds no sound and no bytes."""

RUN_FOLDER = ".quest22"
"""Inside an output folder: the journal, and what is not yet written for good."""


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """What a run may hold beside the program and the model, by kind; :meth:`of` shares it out.

    ``fetched_bytes`` came over the network ahead of their reader; ``undecoded_bytes`` are clips
    that wait to be decoded, at most ``clips_ahead`` of them; ``decoded_s`` is sound that waits for
    the engine; ``spooled_bytes`` is how much of one recording that cannot be read in parts stays
    off the disk; ``shuffled_bytes`` are rows held for shuffling. The rest is for what has to be
    held whole: a page of Parquet, as it came and unpacked. Clips that are being transcribed are
    not among it: a batch decides how many they are, and memory must not decide what is heard.
    """

    fetched_bytes: int
    undecoded_bytes: int
    decoded_s: float
    spooled_bytes: int
    shuffled_bytes: int
    clips_ahead: int = 256

    @classmethod
    def of(cls, total_bytes: int = MEMORY_BYTES) -> MemorySettings:
        """The shares of so many bytes. Raises :class:`UsageError` below 64 MiB."""
        if total_bytes < LEAST_MEMORY_BYTES:
            raise UsageError(
                f"memory is {total_bytes / 2**20:.0f} MiB: expected {LEAST_MEMORY_BYTES >> 20} MiB "
                "or more beside the model, such as 512M or 1G"
            )
        share = total_bytes // 16
        return cls(
            fetched_bytes=share,
            undecoded_bytes=share,
            decoded_s=share / SAMPLE_BYTES / SAMPLE_RATE_HZ,
            spooled_bytes=share // 4,
            shuffled_bytes=8 * share,
        )


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """Which rows of a dataset to stream, and what their columns mean.

    Shuffling holds ``buffer_size`` rows, or ``buffer_bytes`` of them if that is reached first.
    """

    path: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    data_files: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    audio_column: str | None = None
    text_column: str | None = None
    id_column: str | None = None
    keep_columns: tuple[str, ...] = ()
    take: int | None = None
    skip: int = 0
    shuffle: bool = False
    buffer_size: int = 1000
    buffer_bytes: int = MEMORY_BYTES // 2
    seed: int = 0
    num_shards: int = 1
    shard_index: int = 0

    def __post_init__(self) -> None:
        if self.num_shards < 1 or not 0 <= self.shard_index < self.num_shards:
            raise UsageError(
                f"shard index {self.shard_index} of {self.num_shards}: expected an index from 0 to "
                "the number of shards minus one"
            )
        for name, value in (("skip", self.skip), ("take", self.take or 0)):
            if value < 0:
                raise UsageError(f"{name} is {value}: expected a count of rows, 0 or more")


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """How sound is decoded. ``channel`` counts from 0; None mixes all channels to mono.

    A recording longer than ``max_duration_s`` is a failure.
    """

    channel: int | None = None
    workers: int | None = None
    max_duration_s: float = 24 * 3600.0

    def __post_init__(self) -> None:
        if self.channel is not None and self.channel < 0:
            raise UsageError(f"channel is {self.channel}: expected 0 for the first, 1, 2 …")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"decoding workers are {self.workers}: expected 1 or more")
        _positive("max_duration_s", self.max_duration_s)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which checkpoint runs, where and how. ``batch_size`` and ``threads`` None: chosen."""

    model: str = DEFAULT_MODEL
    revision: str | None = None
    device: str = "auto"
    compute_type: str = "auto"
    batch_size: int | None = None
    threads: int | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, value in (("batch size", self.batch_size), ("threads", self.threads)):
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}: expected 1 or more, or 'auto'")


@dataclass(frozen=True, slots=True)
class DecodingSettings:
    """What is asked of the decoder; see :mod:`quest22.records` for what the parts mean.

    ``multilingual`` detects a language for each window instead of each clip; None: as the
    reference of the long form does. ``temperature`` holds those that are tried in order; None:
    likewise. ``prefix`` begins the first window alone, ``initial_prompt`` stands before it.
    With ``word_timestamps``, ``prepend_punctuations`` join the word behind them, and
    ``append_punctuations`` the one before them.
    """

    language: str | None = None
    task: Task = "transcribe"
    timestamps: bool = False
    max_new_tokens: int | None = None
    languages: tuple[str, ...] = ()
    language_threshold: float = 0.0
    fallback_language: str | None = None
    multilingual: bool | None = None
    initial_prompt: str | None = None
    carry_initial_prompt: bool = False
    prefix: str | None = None
    hotwords: str | None = None
    condition_on_previous_text: bool = True
    suppress_tokens: tuple[int, ...] = (-1,)
    suppress_blank: bool = True
    suppress_numerals: bool = False
    max_initial_timestamp: float | None = None
    temperature: tuple[float, ...] | None = None
    beam_size: int = 1
    patience: float = 1.0
    best_of: int = 1
    length_penalty: float | None = None
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    sampling_seed: int = 0
    word_timestamps: bool = False
    prepend_punctuations: str = PREPEND_PUNCTUATIONS
    append_punctuations: str = APPEND_PUNCTUATIONS

    def __post_init__(self) -> None:
        for name, least in (("beam_size", 1), ("best_of", 1), ("no_repeat_ngram_size", 0)):
            _at_least(name, getattr(self, name), least)
        _positive("patience", self.patience)
        _positive("repetition_penalty", self.repetition_penalty)
        if self.max_new_tokens is not None:
            _at_least("max_new_tokens", self.max_new_tokens, 1)
        _within("language_threshold", self.language_threshold)
        for each in (self.length_penalty, *(self.temperature or ())):
            _within("length_penalty and temperature", each)
        tried = (0.0,) if self.temperature is None else self.temperature
        if not tried or any(hotter <= each for each, hotter in pairwise(tried)):
            raise UsageError(
                f"temperatures {tried}: expected one or more that rise, such as 0,0.2,0.4"
            )

    def detection(self) -> DetectionOptions:
        return DetectionOptions(self.languages, self.language_threshold, self.fallback_language)

    def search(self) -> SearchOptions:
        return SearchOptions(
            beam_size=self.beam_size,
            patience=self.patience,
            best_of=self.best_of,
            length_penalty=self.length_penalty,
            repetition_penalty=self.repetition_penalty,
            no_repeat_ngram_size=self.no_repeat_ngram_size,
            seed=(self.sampling_seed,),
        )

    def suppression(self) -> SuppressionOptions:
        return SuppressionOptions(
            self.suppress_tokens,
            self.suppress_blank,
            self.suppress_numerals,
            self.max_initial_timestamp,
        )


@dataclass(frozen=True, slots=True)
class HallucinationSettings:
    """What is taken for made up: the first three as in openai/whisper. None: not looked at.

    ``max_repeats`` is how often in a row the same words may come in a text that is too repetitive
    by the first, ``max_speaking_rate`` how many characters a second a voice can say.
    """

    compression_ratio_threshold: float | None = 2.4
    logprob_threshold: float | None = -1.0
    no_speech_threshold: float | None = 0.6
    hallucination_silence_threshold: float | None = None
    max_repeats: int | None = 10
    max_speaking_rate: float | None = 100.0

    def __post_init__(self) -> None:
        if self.max_repeats is not None:
            _at_least("max_repeats", self.max_repeats, 2)
        for name in ("compression_ratio_threshold", "max_speaking_rate"):
            if (value := getattr(self, name)) is not None:
                _positive(name, value)
        _within("no_speech_threshold", self.no_speech_threshold)


@dataclass(frozen=True, slots=True)
class LongFormSettings:
    """How long sound is cut.

    Chunked: into windows that overlap by ``stride_s`` on each side. Sequential: where the model's
    timestamps say; ``clip_timestamps`` are starts and ends of what is heard, in seconds, and the
    last end may be left out.
    """

    chunk_length_s: float = WINDOW_S
    stride_s: tuple[float, float] = (5.0, 5.0)
    long_form: LongFormName = "chunked"
    clip_timestamps: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        left, right = self.stride_s
        if not 0 < self.chunk_length_s <= WINDOW_S:
            raise UsageError(
                f"chunk length is {self.chunk_length_s} s: Whisper hears windows of up to 30 s"
            )
        if left < 0 or right < 0 or left + right >= self.chunk_length_s:
            raise UsageError(
                f"strides of {left} and {right} s leave nothing of a {self.chunk_length_s} s chunk"
            )
        if self.long_form not in get_args(LongFormName):
            raise UsageError(f"long form {self.long_form!r}: expected chunked or sequential")
        if any(time_s < 0 for time_s in self.clip_timestamps):
            raise UsageError(f"clip timestamps {self.clip_timestamps}: expected seconds from 0 on")
        if any(after <= before for before, after in pairwise(self.clip_timestamps)):
            raise UsageError(f"clip timestamps {self.clip_timestamps}: expected them to increase")


@dataclass(frozen=True, slots=True)
class CaptionSettings:
    """How words become captions; all but ``sentences`` as in openai/whisper. None: no limit.

    ``highlight_words`` underlines each word as it is spoken. ``sentences`` begins a new caption
    with each sentence instead of each segment.
    """

    max_line_width: int | None = None
    max_line_count: int | None = None
    max_words_per_line: int | None = None
    highlight_words: bool = False
    sentences: bool = False

    def __post_init__(self) -> None:
        for name in ("max_line_width", "max_line_count", "max_words_per_line"):
            if (value := getattr(self, name)) is not None:
                _at_least(name, value, 1)
        if self.max_line_count is not None and self.max_line_width is None:
            raise UsageError(
                f"max_line_count is {self.max_line_count}, but lines may be of any width: give "
                "max_line_width too"
            )

    @property
    def needs_words(self) -> bool:
        """Whether times of words are needed for it."""
        return self != CaptionSettings()

    @property
    def keeps_segments(self) -> bool:
        """Whether a caption never holds words of two segments (or sentences)."""
        return self.sentences or self.max_line_count is None or self.max_line_width is None


@dataclass(frozen=True, slots=True)
class VadSettings:
    """Whether and how speech is told from silence before Whisper listens (``vad``).

    ``auto`` leaves clips that fit into one window whole, unless nobody speaks in them. The others
    are faster-whisper's ``VadOptions``; None: its defaults for the kind of long form, see
    ``docs/voice-activity.md``.
    """

    vad: VadMode = "off"
    vad_threshold: float = 0.5
    vad_neg_threshold: float | None = None
    vad_min_speech_duration_ms: int = 0
    vad_max_speech_duration_s: float | None = None
    vad_min_silence_duration_ms: int | None = None
    vad_speech_pad_ms: int = 400

    def __post_init__(self) -> None:
        if self.vad not in get_args(VadMode):
            raise UsageError(f"vad {self.vad!r}: expected off, on or auto")
        for name in ("vad_threshold", "vad_neg_threshold"):
            _within(name, getattr(self, name))
        for name in ("vad_min_speech_duration_ms", "vad_speech_pad_ms"):
            _at_least(name, getattr(self, name), 0)
        if self.vad_min_silence_duration_ms is not None:
            _at_least("vad_min_silence_duration_ms", self.vad_min_silence_duration_ms, 0)
        if self.vad_max_speech_duration_s is not None:
            _positive("vad_max_speech_duration_s", self.vad_max_speech_duration_s)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise UsageError(f"{name} is {value}: expected {least} or more")


def _positive(name: str, value: float) -> None:
    if value <= 0:
        raise UsageError(f"{name} is {value}: expected a number above 0")


def _within(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value <= 1:
        raise UsageError(f"{name} is {value}: expected a number from 0 to 1")


def cache_folder() -> Path:
    """The folder for what can be made again: ``$QUEST22_CACHE``, else the user's cache folder."""
    named = os.environ.get("QUEST22_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quest22"


def with_cache_folder(folder: Path) -> dict[str, str]:
    """The environment of a process whose cache folder is another."""
    return os.environ | {"QUEST22_CACHE": str(folder)}


def graph_cache_bytes() -> int:
    """How large compiled graphs may grow on the disk: ``$QUEST22_GRAPH_CACHE_MB``, else 4 GB.

    Raises :class:`UsageError` where that is no number.
    """
    named = os.environ.get("QUEST22_GRAPH_CACHE_MB", "4000")
    if not named.isdigit():
        raise UsageError(f"QUEST22_GRAPH_CACHE_MB is {named!r}: expected megabytes, 0 for none")
    return int(named) * 1_000_000


def native_library() -> str:
    """``$QUEST22_NATIVE``: ``on`` (the best library that runs), ``off``, or an instruction set."""
    return os.environ.get("QUEST22_NATIVE") or "on"


def hub_token() -> str | None:
    """The Hub token from the environment, for gated and private repositories."""
    return os.environ.get("HF_TOKEN") or None


def silence_telemetry() -> None:
    """Switch off every usage report that a library would send; called before any is imported."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "HF_DATASETS_DISABLE_TELEMETRY"):
        os.environ[name] = "1"
    os.environ["HF_UPDATE_DOWNLOAD_COUNTS"] = "0"
    # OpenVINO's reporter is a package of its own and starts a thread; None: it is not found.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def spare_torch() -> None:
    """Keep ``datasets`` from importing an installed PyTorch, which it wants for nothing of ours.

    It takes seconds. For the command alone: a program of the user's may want both.
    """
    os.environ.setdefault("USE_TORCH", "0")


def silence_progress_bars() -> None:
    """Switch off the download bars of the Hub's library, where nobody watches them."""
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"


def bypass_proxy(host: str) -> None:
    """Reach a host directly, also where the environment names a proxy for all others."""
    for name in ("NO_PROXY", "no_proxy"):
        others = os.environ.get(name)
        os.environ[name] = f"{others},{host}" if others else host
