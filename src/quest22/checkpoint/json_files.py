"""JSON files of a checkpoint, read with limits. Knows nothing of what they mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quest22.errors import CheckpointError

CONFIG_BYTES = 4 << 20
TOKENIZER_BYTES = 64 << 20


def read_bytes(path: Path, limit: int = CONFIG_BYTES) -> bytes:
    """A file's content; :class:`CheckpointError` where it is missing or beyond ``limit`` bytes."""
    try:
        if path.stat().st_size > limit:
            raise CheckpointError(f"{path} is larger than {limit >> 20} MiB: not a model's file")
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise CheckpointError(f"{path.parent} has no {path.name}: give a complete model") from exc
    except OSError as exc:
        raise CheckpointError(f"{path} cannot be read: {exc.strerror or exc}") from exc


def read_object(path: Path, limit: int = CONFIG_BYTES) -> dict[str, Any]:
    """A file that holds one JSON object.

    Raises :class:`CheckpointError` where it is missing, beyond ``limit`` bytes, no JSON, or
    anything but an object.
    """
    try:
        value = json.loads(read_bytes(path, limit))
    except (ValueError, RecursionError) as exc:
        raise CheckpointError(f"{path} is not JSON ({exc}): fetch the model again") from exc
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value
