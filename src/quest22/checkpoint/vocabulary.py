"""Reads a folder's tokenizer files, in either of their two forms, as a ``tokenizers.Tokenizer``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from quest22.checkpoint.files import (
    MAX_TOKENIZER_BYTES,
    TOKENIZER,
    TOKENIZER_PARTS,
    read_bytes,
    read_json_object,
)
from quest22.errors import CheckpointError

_END = "<|endoftext|>"


def read_tokenizer(folder: Path) -> Tokenizer:
    """From ``tokenizer.json``, else from ``vocab.json``, ``merges.txt`` and added tokens.

    Raises :class:`CheckpointError` if neither form is there and valid.
    """
    path = folder / TOKENIZER
    try:
        if path.is_file():
            tokenizer = Tokenizer.from_buffer(read_bytes(path, MAX_TOKENIZER_BYTES))
            # Settings left over from training, which would cut or pad every text.
            tokenizer.no_truncation()
            tokenizer.no_padding()
            return tokenizer
        if all((folder / name).is_file() for name in TOKENIZER_PARTS[:2]):
            return _assembled(folder)
    except CheckpointError:
        raise
    except Exception as exc:  # the tokenizers library raises plain Exception
        raise CheckpointError(
            f"{folder}: the tokenizer is damaged ({exc}): download it again"
        ) from exc
    raise CheckpointError(
        f"{folder} has no tokenizer: expected {TOKENIZER}, or {TOKENIZER_PARTS[0]} with "
        f"{TOKENIZER_PARTS[1]}"
    )


def _assembled(folder: Path) -> Tokenizer:
    """GPT-2's byte-level BPE with Whisper's added tokens."""
    words = {
        word: int(i)
        for word, i in read_json_object(folder / TOKENIZER_PARTS[0], MAX_TOKENIZER_BYTES).items()
    }
    added = folder / TOKENIZER_PARTS[2]
    extra = {k: int(v) for k, v in read_json_object(added).items()} if added.is_file() else {}
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=_merges(folder / TOKENIZER_PARTS[1])))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    _add_tokens(tokenizer, extra)
    for name, i in extra.items():
        if tokenizer.token_to_id(name) != i:
            raise CheckpointError(
                f"{added}: {name} is not token {i} of the vocabulary in that folder"
            )
    return tokenizer


def _add_tokens(tokenizer: Tokenizer, extra: dict[str, int]) -> None:
    """In the order of their ids; all but the timestamps are special, as in newer files."""
    ordered = sorted(extra, key=extra.__getitem__)
    if _END not in extra:
        ordered.insert(0, _END)
    for is_timestamp, names in groupby(ordered, key=lambda name: name[2:3].isdigit()):
        tokens = [AddedToken(name, normalized=False, special=not is_timestamp) for name in names]
        # In few calls, because each takes milliseconds.
        tokenizer.add_tokens(tokens) if is_timestamp else tokenizer.add_special_tokens(tokens)


def _merges(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs):
        raise CheckpointError(f"{path}: expected two tokens on each line")
    return [(left, right) for left, right in pairs]
