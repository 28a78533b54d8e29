"""Models converted for other programs, as checkpoints: CTranslate2 folders and whisper.cpp files.

They lack parts of what Transformers stores. Shapes come from the tensors; control tokens,
suppressed tokens and alignment heads that a file leaves out are those of OpenAI's checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from quest22.checkpoint.byte_level_bpe import byte_level_tokenizer, bytes_of
from quest22.checkpoint.config import Dimensions, GenerationConfig, check_supported
from quest22.checkpoint.files import (
    CTRANSLATE2_VOCABULARIES,
    CTRANSLATE2_WEIGHTS,
    MAX_TOKENIZER_BYTES,
    TOKENIZER,
    is_there,
    read_bytes,
    read_json,
    read_json_object,
)
from quest22.checkpoint.formats.ctranslate2 import CTranslate2File
from quest22.checkpoint.formats.ggml import GgmlFile
from quest22.checkpoint.openai_defaults import control_tokens, default_generation
from quest22.checkpoint.tokens import TIMESTAMP_COUNT, TIMESTAMP_STEP_S, Tokens
from quest22.checkpoint.vocabulary import add_tokens, read_tokenizer
from quest22.checkpoint.weights import WeightFile, Weights
from quest22.errors import CheckpointError

_END = "<|endoftext|>"


@dataclass(frozen=True, slots=True, eq=False)
class CheckpointParts:
    """What a checkpoint consists of, whatever its files."""

    dimensions: Dimensions
    generation: GenerationConfig
    tokens: Tokens
    weights: Weights


def read_ctranslate2(folder: Path) -> CheckpointParts:
    """A folder with ``model.bin``, ``config.json`` and a tokenizer or vocabulary.

    Raises :class:`CheckpointError` if a part is missing or damaged.
    """
    file = CTranslate2File(folder / CTRANSLATE2_WEIGHTS)
    dimensions = ctranslate2_dimensions(file, folder)
    tokenizer = _ctranslate2_tokenizer(folder, dimensions)
    generation = _ctranslate2_generation(folder, dimensions, tokenizer)
    return _parts(file, dimensions, generation, tokenizer, folder)


def read_ggml(path: Path) -> CheckpointParts:
    """A file such as ``ggml-base.bin`` or ``ggml-base-q5_1.bin``.

    Raises :class:`CheckpointError` if it is damaged or not a Whisper model.
    """
    file = GgmlFile(path)
    dimensions = ggml_dimensions(file, path)
    text_tokens = control_tokens(dimensions.vocab_size)[_END]
    if len(file.tokens) < text_tokens:
        raise CheckpointError(
            f"{path} has {len(file.tokens)} text tokens, a model of {dimensions.vocab_size} tokens "
            f"has {text_tokens}: download the model again"
        )
    tokenizer = _whisper_tokenizer(file.tokens[:text_tokens], dimensions.vocab_size)
    generation = default_generation(dimensions, tokenizer)
    return _parts(file, dimensions, generation, tokenizer, path)


def ctranslate2_dimensions(file: CTranslate2File, where: Path) -> Dimensions:
    """The shape of a CTranslate2 model; raises as :func:`dimensions_of` does."""
    return dimensions_of(file, (file.heads["encoder"], file.heads["decoder"]), where)


def ggml_dimensions(file: GgmlFile, where: Path) -> Dimensions:
    """The shape of whisper.cpp's; raises as :func:`dimensions_of` does."""
    return dimensions_of(file, (file.sizes["encoder_heads"], file.sizes["decoder_heads"]), where)


def dimensions_of(file: WeightFile, heads: tuple[int, int], where: Path) -> Dimensions:
    """A model's shape from its tensors; ``heads`` of encoder and decoder are not in them."""

    def shape(name: str) -> tuple[int, ...]:
        if name not in file.entries:
            raise CheckpointError(f"{where} has no tensor {name!r}: expected a whole Whisper model")
        return file.entries[name].shape

    def size(name: str, axis: int = 0) -> int:
        found = shape(name)
        if axis >= len(found):
            raise CheckpointError(f"{where}: {name} has the shape {list(found)}: not Whisper's")
        return found[axis]

    dimensions = Dimensions(
        d_model=size("encoder.conv1.weight"),
        encoder_layers=_layers(file.entries, "encoder"),
        encoder_heads=heads[0],
        encoder_ffn=size("encoder.layers.0.fc1.weight"),
        decoder_layers=_layers(file.entries, "decoder"),
        decoder_heads=heads[1],
        decoder_ffn=size("decoder.layers.0.fc1.weight"),
        mel_bins=size("encoder.conv1.weight", 1),
        max_source_positions=size("encoder.embed_positions.weight"),
        max_target_positions=size("decoder.embed_positions.weight"),
        vocab_size=size("decoder.embed_tokens.weight"),
    )
    check_supported(dimensions, scaled=False, path=where)
    return dimensions


def _layers(names: Mapping[str, Any], side: str) -> int:
    return sum(
        name.startswith(f"{side}.layers.") and name.endswith(".fc1.weight") for name in names
    )


def _parts(
    file: WeightFile,
    dimensions: Dimensions,
    generation: GenerationConfig,
    tokenizer: Tokenizer,
    where: Path,
) -> CheckpointParts:
    tokens = Tokens.of(tokenizer, dimensions, generation, where)
    weights = Weights(dict.fromkeys(file.entries, file))
    return CheckpointParts(dimensions, generation, tokens, weights)


def _ctranslate2_generation(
    folder: Path, dimensions: Dimensions, tokenizer: Tokenizer
) -> GenerationConfig:
    """``generation_config.json`` where somebody put it there, else the converter's own fields."""
    if is_there(folder / "generation_config.json"):
        return GenerationConfig.read(folder)
    path = folder / "config.json"
    config = read_json_object(path) if is_there(path) else {}
    generation = default_generation(dimensions, tokenizer)
    numbers = {
        "suppress_tokens": config.get("suppress_ids"),
        "begin_suppress_tokens": config.get("suppress_ids_begin"),
    }
    found: dict[str, Any] = {
        name: _numbers(folder, name, value) for name, value in numbers.items() if value
    }
    if pairs := config.get("alignment_heads"):
        if not isinstance(pairs, list) or not all(
            isinstance(pair, list) and len(pair) == 2 for pair in pairs
        ):
            raise CheckpointError(f"{folder}: alignment_heads are {pairs!r}, expected pairs")
        found["alignment_heads"] = tuple(
            (layer, head)
            for layer, head in (_numbers(folder, "alignment_heads", pair) for pair in pairs)
        )
    return replace(generation, **found)


def _numbers(folder: Path, name: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(each) is int and each >= 0 for each in value):
        raise CheckpointError(f"{folder}: {name} in config.json is not a list of whole numbers")
    return tuple(value)


def _ctranslate2_tokenizer(folder: Path, dimensions: Dimensions) -> Tokenizer:
    """``tokenizer.json``, or what the vocabulary alone tells."""
    if is_there(folder / TOKENIZER):
        return read_tokenizer(folder)
    text_tokens = control_tokens(dimensions.vocab_size)[_END]
    words = _vocabulary(folder)[:text_tokens]
    try:
        spelt = [bytes_of(word) for word in words]
    except KeyError as exc:
        raise CheckpointError(
            f"{folder}: the vocabulary has the letter {exc}, which byte-level BPE does not use"
        ) from exc
    if len(spelt) < text_tokens:
        raise CheckpointError(f"{folder}: the vocabulary has {len(spelt)} of {text_tokens} tokens")
    return _whisper_tokenizer(spelt, dimensions.vocab_size)


def _vocabulary(folder: Path) -> list[str]:
    as_json, as_text = (folder / name for name in CTRANSLATE2_VOCABULARIES)
    if is_there(as_json):
        words = read_json(as_json, MAX_TOKENIZER_BYTES)
        return [str(word) for word in words] if isinstance(words, list) else []
    if is_there(as_text):
        return read_bytes(as_text, MAX_TOKENIZER_BYTES).decode("utf-8", "replace").split("\n")
    raise CheckpointError(
        f"{folder} has no tokenizer: expected {TOKENIZER}, {' or '.join(CTRANSLATE2_VOCABULARIES)}"
    )


def _whisper_tokenizer(words: Sequence[bytes], vocab_size: int) -> Tokenizer:
    """A tokenizer of text tokens, with Whisper's control tokens and timestamps behind them."""
    tokenizer = byte_level_tokenizer(words)
    control = control_tokens(vocab_size)
    first = max(control.values()) + 1
    count = min(TIMESTAMP_COUNT, vocab_size - first)
    times = {f"<|{number * TIMESTAMP_STEP_S:.2f}|>": first + number for number in range(count)}
    add_tokens(tokenizer, control | times)
    return tokenizer
