"""Whether a checkpoint's settings fit its dimensions: token numbers, alignment heads.

They come from files that anybody may have written, and are used as indices later.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.checkpoint.tokens import Tokens
from quest22.errors import CheckpointError

_Named = tuple[str, int]


def check_consistency(
    dimensions: Dimensions, generation: GenerationConfig, tokens: Tokens, where: Path
) -> None:
    """Raise :class:`CheckpointError` for a token or a head that the model does not have.

    Suppressed tokens beyond the vocabulary are allowed: nothing can choose them.
    """
    for name, token in _used_tokens(generation, tokens):
        if not 0 <= token < dimensions.vocab_size:
            raise CheckpointError(
                f"{where}: {name} is token {token}, but the model has {dimensions.vocab_size} "
                "tokens: tokenizer, generation_config.json and weights do not match"
            )
    _check_layout(tokens, where)
    if set(range(tokens.eot + 1)) <= set(generation.suppress_tokens):
        raise CheckpointError(f"{where}: suppress_tokens suppresses every text: correct the list")
    _check_heads(dimensions, generation, where)


def _used_tokens(generation: GenerationConfig, tokens: Tokens) -> Iterator[_Named]:
    """Every token that a prompt or a rule may name."""
    for role in ("eot", "sot", "transcribe", "translate", "sot_lm", "prev", "no_speech"):
        yield role, getattr(tokens, role)
    yield "no_timestamps", tokens.no_timestamps
    yield "pad_token_id", generation.pad_token_id
    for table in (generation.lang_to_id, generation.task_to_id, tokens.languages):
        yield from ((name[:40], token) for name, token in table.items())
    for position, token in generation.forced_decoder_ids:
        if token is not None:
            yield f"forced_decoder_ids[{position}]", token


def _check_layout(tokens: Tokens, where: Path) -> None:
    """Text comes first, then the end of text, then control tokens, then timestamps."""
    if not 0 < tokens.eot < tokens.no_timestamps:
        raise CheckpointError(
            f"{where}: the end of text is token {tokens.eot} and <|notimestamps|> token "
            f"{tokens.no_timestamps}: expected text, end of text and control tokens in this order"
        )
    control = (tokens.sot, tokens.transcribe, tokens.translate, tokens.prev, tokens.no_speech)
    if tokens.eot in control or tokens.no_timestamps in control:
        raise CheckpointError(
            f"{where}: two of the control tokens have one number: expected different ones"
        )


def _check_heads(dimensions: Dimensions, generation: GenerationConfig, where: Path) -> None:
    heads = generation.alignment_heads
    for layer, head in heads:
        if layer >= dimensions.decoder_layers or head >= dimensions.decoder_heads:
            raise CheckpointError(
                f"{where}: alignment_heads names head {head} of layer {layer}: expected one of "
                f"{dimensions.decoder_heads} heads of {dimensions.decoder_layers} layers, counted "
                "from 0; correct generation_config.json"
            )
    if len(set(heads)) < len(heads):
        raise CheckpointError(
            f"{where}: alignment_heads names a head twice: correct generation_config.json"
        )
