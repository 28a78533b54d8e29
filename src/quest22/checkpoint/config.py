"""Reads ``config.json`` and ``generation_config.json``: model dimensions, generation settings.

Field names are Transformers'. Knows neither weights nor text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from quest22.checkpoint.files import MAX_TOKENS, is_there, read_json_object
from quest22.errors import CheckpointError

_Pairs = tuple[tuple[int, int], ...]
_BASIC_TOKENS = ("eos_token_id", "decoder_start_token_id", "pad_token_id")
MIN_TARGET_POSITIONS = 16
_LIMITS = {
    "d_model": 8192,
    "encoder_layers": 256,
    "encoder_attention_heads": 256,
    "encoder_ffn_dim": 65_536,
    "decoder_layers": 256,
    "decoder_attention_heads": 256,
    "decoder_ffn_dim": 65_536,
    "num_mel_bins": 512,
    "max_target_positions": 8192,
    "vocab_size": MAX_TOKENS,
}


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The dimensions of a Whisper model."""

    d_model: int
    encoder_layers: int
    encoder_heads: int
    encoder_ffn: int
    decoder_layers: int
    decoder_heads: int
    decoder_ffn: int
    mel_bins: int
    max_source_positions: int
    max_target_positions: int
    vocab_size: int
    activation: str = "gelu"

    @classmethod
    def read(cls, folder: Path) -> Dimensions:
        """From ``config.json``; raises :class:`CheckpointError` if it is not a Whisper model."""
        path = folder / "config.json"
        return _dimensions(read_json_object(path), path)


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """The checkpoint's generation settings; None or empty if it does not set them.

    ``forced_decoder_ids`` holds (position, token) pairs; a token of None means "not forced".
    ``alignment_heads`` holds (decoder layer, head) pairs.
    """

    decoder_start_token_id: int
    eos_token_id: int
    pad_token_id: int
    max_length: int
    suppress_tokens: tuple[int, ...] = ()
    begin_suppress_tokens: tuple[int, ...] = ()
    forced_decoder_ids: tuple[tuple[int, int | None], ...] = ()
    alignment_heads: _Pairs = ()
    lang_to_id: Mapping[str, int] = field(default_factory=dict)
    task_to_id: Mapping[str, int] = field(default_factory=dict)
    no_timestamps_token_id: int | None = None
    prev_sot_token_id: int | None = None
    is_multilingual: bool | None = None
    max_initial_timestamp_index: int | None = None

    @classmethod
    def read(cls, folder: Path) -> GenerationConfig:
        """From ``generation_config.json``, or from ``config.json`` in older models without it.

        If both exist, only the first counts, as in Transformers, except that tokens which begin
        and end a text are taken from the second if the first lacks them.
        """
        model = read_json_object(folder / "config.json")
        path = folder / "generation_config.json"
        if not is_there(path):
            return _generation(_Fields(model, folder / "config.json"))
        basic = {name: model[name] for name in _BASIC_TOKENS if name in model}
        return _generation(_Fields(basic | read_json_object(path), path))


def _dimensions(config: dict[str, Any], path: Path) -> Dimensions:
    if config.get("model_type") != "whisper":
        raise CheckpointError(
            f"{path}: model_type is {config.get('model_type')!r}, expected 'whisper': "
            "only Whisper models are supported"
        )
    if "quantization_config" in config:
        raise CheckpointError(
            f"{path}: the weights are quantised, which is not supported: give the model they were "
            "made from"
        )
    fields = _Fields(config, path)
    size = {name: fields.size(name, limit) for name, limit in _LIMITS.items()}
    dimensions = Dimensions(
        d_model=size["d_model"],
        encoder_layers=size["encoder_layers"],
        encoder_heads=size["encoder_attention_heads"],
        encoder_ffn=size["encoder_ffn_dim"],
        decoder_layers=size["decoder_layers"],
        decoder_heads=size["decoder_attention_heads"],
        decoder_ffn=size["decoder_ffn_dim"],
        mel_bins=size["num_mel_bins"],
        max_source_positions=fields.size("max_source_positions", 1 << 20),
        max_target_positions=size["max_target_positions"],
        vocab_size=size["vocab_size"],
        activation=str(config.get("activation_function", "gelu")),
    )
    check_supported(dimensions, bool(config.get("scale_embedding")), path)
    return dimensions


def check_supported(dimensions: Dimensions, scaled: bool, path: Path) -> None:
    """Refuse models that would load but give wrong results, and sizes that no model has."""
    sizes = (
        ("d_model", dimensions.d_model),
        ("encoder_layers", dimensions.encoder_layers),
        ("encoder_attention_heads", dimensions.encoder_heads),
        ("encoder_ffn_dim", dimensions.encoder_ffn),
        ("decoder_layers", dimensions.decoder_layers),
        ("decoder_attention_heads", dimensions.decoder_heads),
        ("decoder_ffn_dim", dimensions.decoder_ffn),
        ("num_mel_bins", dimensions.mel_bins),
        ("max_target_positions", dimensions.max_target_positions),
        ("vocab_size", dimensions.vocab_size),
    )
    if dimensions.max_target_positions < MIN_TARGET_POSITIONS:
        raise CheckpointError(
            f"{path}: max_target_positions is {dimensions.max_target_positions}, which is too few "
            "for a prompt and a text"
        )
    for name, size in sizes:
        if not 1 <= size <= _LIMITS[name]:
            raise CheckpointError(
                f"{path}: {name} is {size}, expected a whole number from 1 to {_LIMITS[name]}"
            )
    if dimensions.activation != "gelu":
        raise CheckpointError(
            f"{path}: activation_function is {dimensions.activation!r}, Whisper's is 'gelu'"
        )
    if scaled:
        raise CheckpointError(f"{path}: scale_embedding is set, which no Whisper model has")
    if dimensions.max_source_positions != 1500:
        raise CheckpointError(
            f"{path}: max_source_positions is {dimensions.max_source_positions}, expected 1500: "
            "windows are 30 s long"
        )
    for side, heads in (
        ("encoder", dimensions.encoder_heads),
        ("decoder", dimensions.decoder_heads),
    ):
        if dimensions.d_model % heads:
            raise CheckpointError(
                f"{path}: d_model {dimensions.d_model} is not divisible by the {heads} "
                f"{side}_attention_heads"
            )


def _generation(fields: _Fields) -> GenerationConfig:
    eos = fields.token("eos_token_id")
    if eos is None:
        raise CheckpointError(f"{fields.path}: eos_token_id is missing: give a complete model")
    start = fields.token("decoder_start_token_id")
    pad = fields.token("pad_token_id")
    return GenerationConfig(
        decoder_start_token_id=eos + 1 if start is None else start,
        eos_token_id=eos,
        pad_token_id=eos if pad is None else pad,
        max_length=fields.size("max_length", 1 << 20, default=448),
        suppress_tokens=fields.tokens("suppress_tokens"),
        begin_suppress_tokens=fields.tokens("begin_suppress_tokens"),
        forced_decoder_ids=fields.forced(),
        alignment_heads=fields.heads(),
        lang_to_id=fields.table("lang_to_id"),
        task_to_id=fields.table("task_to_id"),
        no_timestamps_token_id=fields.token("no_timestamps_token_id"),
        prev_sot_token_id=fields.token("prev_sot_token_id"),
        is_multilingual=fields.flag("is_multilingual"),
        max_initial_timestamp_index=fields.token("max_initial_timestamp_index"),
    )


class _Fields:
    """Typed access to a JSON object; a wrong value becomes a one-line CheckpointError."""

    def __init__(self, values: Mapping[str, Any], path: Path) -> None:
        self.path = path
        self._values = values

    def size(self, name: str, limit: int, default: int | None = None) -> int:
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        if type(value) is not int or not 1 <= value <= limit:
            raise self._wrong(name, f"a whole number from 1 to {limit}")
        return value

    def token(self, name: str) -> int | None:
        value = self._values.get(name)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is not None and not _is_count(value):
            raise self._wrong(name, "a token id")
        return value

    def tokens(self, name: str) -> tuple[int, ...]:
        value = self._values.get(name) or []
        if not isinstance(value, list) or not all(map(_is_count, value)):
            if value == [-1]:
                return ()
            raise self._wrong(name, "a list of token ids")
        return tuple(value)

    def flag(self, name: str) -> bool | None:
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def table(self, name: str) -> Mapping[str, int]:
        value = self._values.get(name) or {}
        if not isinstance(value, dict) or not all(map(_is_count, value.values())):
            raise self._wrong(name, "an object of token ids")
        return MappingProxyType(dict(value))

    def heads(self) -> _Pairs:
        value = self._values.get("alignment_heads") or []
        if not isinstance(value, list) or not all(_is_pair(pair) for pair in value):
            raise self._wrong("alignment_heads", "a list of [layer, head] pairs")
        return tuple((layer, head) for layer, head in value)

    def forced(self) -> tuple[tuple[int, int | None], ...]:
        value = self._values.get("forced_decoder_ids") or []
        if not isinstance(value, list) or not all(_is_pair(pair, free=True) for pair in value):
            raise self._wrong("forced_decoder_ids", "a list of [position, token] pairs")
        return tuple((position, token) for position, token in value)

    def _wrong(self, name: str, expected: str) -> CheckpointError:
        value = repr(self._values.get(name))
        shown = value if len(value) <= 60 else value[:57] + "..."
        return CheckpointError(f"{self.path}: {name} is {shown}, expected {expected}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_pair(value: object, *, free: bool = False) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and _is_count(value[0])
        and (_is_count(value[1]) or (free and value[1] is None))
    )
