"""openai/whisper's own network with the weights of any checkpoint that the product reads."""

from __future__ import annotations

import re
from typing import Any

from quest22.checkpoint.load import load as load_checkpoint

RENAMED = (
    (r"layers\.", "blocks."),
    (r"\.fc1\.", ".mlp.0."),
    (r"\.fc2\.", ".mlp.2."),
    (r"\.final_layer_norm\.", ".mlp_ln."),
    (r"\.self_attn(_layer_norm)?\.", r".attn\1."),
    (r"\.encoder_attn(_layer_norm)?\.", r".cross_attn\1."),
    (r"attn_layer_norm\.", "attn_ln."),
    (r"\.q_proj\.", ".query."),
    (r"\.k_proj\.", ".key."),
    (r"\.v_proj\.", ".value."),
    (r"\.out_proj\.", ".out."),
    (r"^decoder\.layer_norm\.", "decoder.ln."),
    (r"^encoder\.layer_norm\.", "encoder.ln_post."),
    (r"embed_tokens\.weight", "token_embedding.weight"),
    (r"embed_positions\.weight", "positional_embedding"),
)
"""Transformers' names of tensors → openai/whisper's, applied in turn."""


def load(name: str) -> Any:
    """``whisper.model.Whisper`` in float32; raises :class:`quest22.errors.CheckpointError`."""
    import torch
    import whisper

    checkpoint = load_checkpoint(name)
    sizes = checkpoint.dimensions
    dimensions = whisper.model.ModelDimensions(
        n_mels=sizes.mel_bins,
        n_audio_ctx=sizes.max_source_positions,
        n_audio_state=sizes.d_model,
        n_audio_head=sizes.encoder_heads,
        n_audio_layer=sizes.encoder_layers,
        n_vocab=sizes.vocab_size,
        n_text_ctx=sizes.max_target_positions,
        n_text_state=sizes.d_model,
        n_text_head=sizes.decoder_heads,
        n_text_layer=sizes.decoder_layers,
    )
    model = whisper.model.Whisper(dimensions).eval()
    model.load_state_dict(
        {
            openai_name(tensor): torch.from_numpy(checkpoint.weights[tensor].copy())
            for tensor in checkpoint.weights
            if not tensor.startswith("proj_out")
        }
    )
    return model


def openai_name(name: str) -> str:
    """A tensor's name in openai/whisper."""
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name
