"""What a run is asked to do: frozen values, checked once, passed in.

The environment is read here and nowhere else.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from quest22.errors import UsageError
from quest22.records import WINDOW_S, Task

DEFAULT_MODEL = "nano"
RUN_FOLDER = ".quest22"
"""Inside an output folder: the journal, and what is not yet written for good."""


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """Which rows of a dataset to stream, and what their columns mean."""

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
    """How sound is decoded. ``channel`` counts from 0; None mixes all channels to mono."""

    channel: int | None = None
    workers: int | None = None
    prefetch_s: float = 1200.0

    def __post_init__(self) -> None:
        if self.channel is not None and self.channel < 0:
            raise UsageError(f"channel is {self.channel}: expected 0 for the first, 1, 2 …")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"decoding workers are {self.workers}: expected 1 or more")


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
    """What is asked of the decoder, for every window alike."""

    language: str | None = None
    task: Task = "transcribe"
    timestamps: bool = False
    max_new_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class LongFormSettings:
    """How long sound is cut. ``stride_s`` is the overlap on each side of a window."""

    chunk_length_s: float = WINDOW_S
    stride_s: tuple[float, float] = (5.0, 5.0)

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


def cache_folder() -> Path:
    """The folder for what can be made again: ``$QUEST22_CACHE``, else the user's cache folder."""
    named = os.environ.get("QUEST22_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quest22"


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
