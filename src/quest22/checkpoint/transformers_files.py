"""The small files of a Transformers' Whisper folder, as documents: configuration and tokenizer."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer

from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.checkpoint.files import TOKENIZER_PARTS
from quest22.checkpoint.tokens import Tokens


def config_document(dimensions: Dimensions, generation: GenerationConfig) -> dict[str, Any]:
    """``config.json`` but for what the weights decide: their type, and if the output is tied."""
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": dimensions.activation,
        "d_model": dimensions.d_model,
        "num_hidden_layers": dimensions.encoder_layers,
        "encoder_layers": dimensions.encoder_layers,
        "encoder_attention_heads": dimensions.encoder_heads,
        "encoder_ffn_dim": dimensions.encoder_ffn,
        "decoder_layers": dimensions.decoder_layers,
        "decoder_attention_heads": dimensions.decoder_heads,
        "decoder_ffn_dim": dimensions.decoder_ffn,
        "num_mel_bins": dimensions.mel_bins,
        "max_source_positions": dimensions.max_source_positions,
        "max_target_positions": dimensions.max_target_positions,
        "vocab_size": dimensions.vocab_size,
        "scale_embedding": False,
        "is_encoder_decoder": True,
        "bos_token_id": generation.eos_token_id,
        "eos_token_id": generation.eos_token_id,
        "pad_token_id": generation.pad_token_id,
        "decoder_start_token_id": generation.decoder_start_token_id,
    }


def generation_document(generation: GenerationConfig) -> dict[str, Any]:
    """``generation_config.json``; an English-only model's names neither languages nor tasks."""
    document: dict[str, Any] = {
        "bos_token_id": generation.eos_token_id,
        "eos_token_id": generation.eos_token_id,
        "pad_token_id": generation.pad_token_id,
        "decoder_start_token_id": generation.decoder_start_token_id,
        "max_length": generation.max_length,
        "suppress_tokens": list(generation.suppress_tokens),
        "begin_suppress_tokens": list(generation.begin_suppress_tokens),
        "no_timestamps_token_id": generation.no_timestamps_token_id,
        "prev_sot_token_id": generation.prev_sot_token_id,
        "max_initial_timestamp_index": generation.max_initial_timestamp_index,
        "is_multilingual": generation.is_multilingual,
        "return_timestamps": False,
    }
    if generation.alignment_heads:
        document["alignment_heads"] = [list(pair) for pair in generation.alignment_heads]
    if generation.forced_decoder_ids:
        document["forced_decoder_ids"] = [list(pair) for pair in generation.forced_decoder_ids]
    if generation.is_multilingual:
        document["lang_to_id"] = dict(generation.lang_to_id)
        document["task_to_id"] = dict(generation.task_to_id)
        document["task"] = "transcribe"  # else Transformers leaves the task out of the prompt
    return {name: value for name, value in document.items() if value is not None}


def preprocessor_document(mel_bins: int) -> dict[str, Any]:
    """``preprocessor_config.json``: the log-mel settings, which all Whisper models share."""
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": mel_bins,
        "sampling_rate": 16000,
        "chunk_length": 30,
        "hop_length": 160,
        "n_fft": 400,
        "n_samples": 480000,
        "nb_max_frames": 3000,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


def tokenizer_config_document(tokens: Tokens, max_length: int) -> dict[str, Any]:
    """``tokenizer_config.json``: which class reads the tokenizer, and its three basic tokens."""
    end = tokens.tokenizer.id_to_token(tokens.eot)
    return {
        "tokenizer_class": "WhisperTokenizer",
        "processor_class": "WhisperProcessor",
        "add_prefix_space": False,
        "bos_token": end,
        "eos_token": end,
        "unk_token": end,
        "pad_token": end,
        "model_max_length": max_length,
    }


def tokenizer_parts(tokenizer: Tokenizer) -> dict[str, str]:
    """File name → text of the tokenizer's older form, which Transformers 4 reads."""
    table = json.loads(tokenizer.to_str())
    vocabulary = table["model"]["vocab"]
    merges = [
        each if isinstance(each, str) else " ".join(each) for each in table["model"]["merges"]
    ]
    added = {each["content"]: each["id"] for each in table["added_tokens"]}
    extra = {name: number for name, number in added.items() if name not in vocabulary}
    texts = (
        json.dumps(vocabulary, ensure_ascii=False),
        "\n".join(("#version: 0.2", *merges)) + "\n",
        json.dumps(extra, ensure_ascii=False),
    )
    return dict(zip(TOKENIZER_PARTS, texts, strict=True))
