"""Reads a folder's tokenizer files, in either of their two forms, as a ``tokenizers.Tokenizer``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from quest22.checkpoint.files import (
    MAX_TOKENIZER_BYTES,
    MAX_TOKENS,
    TOKENIZER,
    TOKENIZER_PARTS,
    is_there,
    parse_json,
    read_bytes,
    read_json_object,
)
from quest22.errors import CheckpointError

_END = "<|endoftext|>"


def read_tokenizer(folder: Path) -> Tokenizer:
    """From ``tokenizer.json``, else from ``vocab.json``, ``merges.txt`` and added tokens.

    Raises :class:`CheckpointError` if neither form is there and valid.
    """
    if is_there(folder / TOKENIZER):
        return _whole(folder / TOKENIZER)
    if all(is_there(folder / name) for name in TOKENIZER_PARTS[:2]):
        return _assembled(folder)
    raise CheckpointError(
        f"{folder} has no tokenizer: expected {TOKENIZER}, or {TOKENIZER_PARTS[0]} with "
        f"{TOKENIZER_PARTS[1]}"
    )


@contextmanager
def tokenizer_errors(where: object) -> Iterator[None]:
    """Turn the errors of the tokenizers library, its panics too, into CheckpointErrors."""
    try:
        yield
    except (CheckpointError, MemoryError):
        raise
    except BaseException as exc:
        # It raises plain Exception; for a panic in Rust, a BaseException that it does not export.
        if not isinstance(exc, Exception) and type(exc).__name__ != "PanicException":
            raise
        raise CheckpointError(
            f"{where}: the tokenizer is damaged ({exc}): download it again"
        ) from exc


def _whole(path: Path) -> Tokenizer:
    content = read_bytes(path, MAX_TOKENIZER_BYTES)
    with tokenizer_errors(path.parent):
        _check_document(parse_json(content), path)
        tokenizer = Tokenizer.from_buffer(content)
        # Settings left over from training, which would cut or pad every text.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer


_PARTS = {
    "normalizer": {"NFC", "NFD", "NFKC", "NFKD", "Sequence"},
    "pre_tokenizer": {"ByteLevel", "Split", "Sequence"},
    "post_processor": {"ByteLevel", "TemplateProcessing", "Sequence"},
    "decoder": {"ByteLevel", "Fuse", "Sequence"},
}
"""What a Whisper tokenizer may consist of: nothing here runs a stranger's pattern."""

_NEUTRAL = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback")
"""Settings of BPE that no Whisper tokenizer has."""

_SPLIT_PATTERNS = (
    r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
    r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s""",
)
"""GPT-2's pattern as its authors and tiktoken write it."""


def _check_document(document: Any, path: Path) -> None:
    """Refuse a tokenizer that is not GPT-2's byte-level BPE, as Whisper's all are."""
    model = document.get("model") if isinstance(document, dict) else None
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        raise _not_whisper(path, "no BPE model")
    for name in _NEUTRAL:
        if model.get(name):
            raise _not_whisper(path, f"{name} {str(model[name])[:40]!r}")
    for name, allowed in _PARTS.items():
        for part in _components(document.get(name)):
            kind = part.get("type") if isinstance(part, dict) else None
            if kind not in allowed or not _knows_pattern(part):
                raise _not_whisper(path, f"the {name} {str(kind)[:40]}")
    vocabulary = model.get("vocab")
    added = document.get("added_tokens") or []
    numbers = list(vocabulary.values()) if isinstance(vocabulary, dict) else [None]
    numbers += [each.get("id") if isinstance(each, dict) else None for each in added]
    _check_numbers(numbers, path)


def _components(part: Any) -> Iterator[Any]:
    """A part, or what a sequence consists of."""
    if isinstance(part, dict) and part.get("type") == "Sequence":
        for name in ("normalizers", "pretokenizers", "processors", "decoders"):
            for each in part.get(name) or []:
                yield from _components(each)
    elif part is not None:
        yield part


def _knows_pattern(part: dict[str, Any]) -> bool:
    pattern = part.get("pattern")
    known = isinstance(pattern, dict) and pattern.get("Regex") in _SPLIT_PATTERNS
    return known if part["type"] == "Split" else pattern is None


def _not_whisper(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path} has {what}: expected GPT-2's byte-level BPE, as in every Whisper model"
    )


def _check_numbers(numbers: list[Any], path: Path) -> None:
    for number in numbers:
        if type(number) is not int or not 0 <= number < MAX_TOKENS:
            raise CheckpointError(
                f"{path} numbers a token {str(number)[:40]}: expected whole numbers below "
                f"{MAX_TOKENS}"
            )


def _assembled(folder: Path) -> Tokenizer:
    """GPT-2's byte-level BPE with Whisper's added tokens."""
    vocabulary, merges, added = (folder / name for name in TOKENIZER_PARTS)
    words = read_json_object(vocabulary, MAX_TOKENIZER_BYTES)
    extra = read_json_object(added) if is_there(added) else {}
    _check_numbers([*words.values()], vocabulary)
    _check_numbers([*extra.values()], added)
    pairs = _merges(merges)
    with tokenizer_errors(folder):
        tokenizer = Tokenizer(models.BPE(vocab=words, merges=pairs))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        add_tokens(tokenizer, extra)
    for name, i in extra.items():
        if tokenizer.token_to_id(name) != i:
            raise CheckpointError(
                f"{added}: {name} is not token {i} of the vocabulary in that folder"
            )
    return tokenizer


def add_tokens(tokenizer: Tokenizer, extra: dict[str, int]) -> None:
    """In the order of their ids; all but the timestamps are special, as in newer files."""
    ordered = sorted(extra, key=extra.__getitem__)
    if _END not in extra:
        ordered.insert(0, _END)
    for is_timestamp, names in groupby(ordered, key=lambda name: name[2:3].isdigit()):
        tokens = [AddedToken(name, normalized=False, special=not is_timestamp) for name in names]
        # In few calls, because each takes milliseconds.
        tokenizer.add_tokens(tokens) if is_timestamp else tokenizer.add_special_tokens(tokens)


def _merges(path: Path) -> list[tuple[str, str]]:
    try:
        lines = read_bytes(path, MAX_TOKENIZER_BYTES).decode("utf-8").splitlines()
    except UnicodeDecodeError as exc:
        raise CheckpointError(f"{path} is not text ({exc}): download it again") from exc
    pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs):
        raise CheckpointError(f"{path}: expected two tokens on each line")
    return [(left, right) for left, right in pairs]
