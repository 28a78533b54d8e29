"""The recipe's one configuration file, ``nano.toml``, as values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib

CONFIG = Path(__file__).with_name("nano.toml")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Data:
    """How much speech is synthesised."""

    shards_a_language: int
    shard_size: int
    noises: int
    processes: int


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the model."""

    d_model: int
    encoder_layers: int
    decoder_layers: int
    encoder_heads: int
    decoder_heads: int
    guided_heads: tuple[tuple[int, int], ...]
    alignment_heads: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the curriculum, up to a share ``until`` of the training time.

    ``mix`` gives the weights of the kinds of windows, ``batch_s`` the sound in a step, and
    ``augment`` the share of windows whose sound is disturbed.
    """

    until: float
    batch_s: float
    augment: float
    mix: dict[str, float]


@dataclass(frozen=True, slots=True)
class Training:
    """The optimisers, the weights of the losses, the time to train and the stages."""

    minutes: float
    workers: int
    matrix_rate: float
    matrix_decay: float
    other_rate: float
    warmup_steps: int
    decay_from: float
    final_rate: float
    ctc_weight: float
    guide_weight: float
    save_minutes: float
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that ``nano.toml`` says."""

    seed: int
    cache: Path
    tokenizer: Path
    data: Data
    shape: Shape
    training: Training


def load(path: Path = CONFIG) -> Config:
    """Read the configuration; relative folders are relative to the repository."""
    raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    shape, training = raw["shape"], raw["training"]
    for name in ("guided_heads", "alignment_heads"):
        shape[name] = tuple((layer, head) for layer, head in shape[name])
    training["stages"] = tuple(Stage(**stage) for stage in training["stages"])
    return Config(
        raw["seed"], ROOT / raw["cache"], ROOT / raw["tokenizer"], Data(**raw["data"]),
        Shape(**shape), Training(**training),
    )  # fmt: skip
