"""A folder's tokenizer files, in either of their two forms, as one ``tokenizers.Tokenizer``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from quest22.checkpoint.json_files import TOKENIZER_BYTES, read_bytes, read_object
from quest22.errors import CheckpointError

TOKENIZER = "tokenizer.json"
_END = "<|endoftext|>"
PARTS = ("vocab.json", "merges.txt", "added_tokens.json")


def read_tokenizer(folder: Path) -> Tokenizer:
    """From ``tokenizer.json``, else from ``vocab.json``, ``merges.txt`` and added tokens.

    Raises :class:`CheckpointError` where neither form is there or sound.
    """
    path = folder / TOKENIZER
    try:
        if path.is_file():
            tokenizer = Tokenizer.from_buffer(read_bytes(path, TOKENIZER_BYTES))
            # Settings of somebody's training, which would cut or fill every text.
            tokenizer.no_truncation()
            tokenizer.no_padding()
            return tokenizer
        if (folder / PARTS[0]).is_file() and (folder / PARTS[1]).is_file():
            return _assembled(folder)
    except CheckpointError:
        raise
    except Exception as exc:  # the tokenizers library raises nothing more precise
        raise CheckpointError(
            f"{folder}: the tokenizer is damaged ({exc}): fetch it again"
        ) from exc
    raise CheckpointError(
        f"{folder} has no tokenizer: expected {TOKENIZER}, or {PARTS[0]} with {PARTS[1]}"
    )


def _assembled(folder: Path) -> Tokenizer:
    """The byte-level BPE of GPT-2 with Whisper's added tokens."""
    words = {word: int(i) for word, i in read_object(folder / PARTS[0], TOKENIZER_BYTES).items()}
    added = folder / PARTS[2]
    extra = {k: int(v) for k, v in read_object(added).items()} if added.is_file() else {}
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=_merges(folder / PARTS[1])))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    _add_tokens(tokenizer, extra)
    for name, i in extra.items():
        if tokenizer.token_to_id(name) != i:
            raise CheckpointError(f"{added}: {name} is not token {i} of the vocabulary beside it")
    return tokenizer


def _add_tokens(tokenizer: Tokenizer, extra: dict[str, int]) -> None:
    """In the order of their numbers; all but the timestamps are special, as in newer files."""
    ordered = sorted(extra, key=extra.__getitem__)
    if _END not in extra:
        ordered.insert(0, _END)
    for timed, names in groupby(ordered, key=lambda name: name[2:3].isdigit()):
        tokens = [AddedToken(name, normalized=False, special=not timed) for name in names]
        # All at once: the library takes milliseconds for each call.
        tokenizer.add_tokens(tokens) if timed else tokenizer.add_special_tokens(tokens)


def _merges(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs):
        raise CheckpointError(f"{path}: expected two words a line")
    return [(left, right) for left, right in pairs]
