"""What is measured: a checkpoint and clips, from the user's own or made up here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from quest22.audio.decode import MediaDecoder
from quest22.audio.pool import decode_ahead
from quest22.bench.random_checkpoint import SHAPES, write_checkpoint
from quest22.errors import ClipError, UsageError
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Audio, Samples
from quest22.runtime.build import file_source
from quest22.settings import AudioSettings
from quest22.source.io.retry import RetryingClient


def random_model(folder: Path, shape: str) -> str:
    """A random checkpoint of a true shape that never ends by itself; made once a folder.

    Raises :class:`UsageError` for an unknown shape.
    """
    if shape not in SHAPES:
        known = ", ".join(name for name in SHAPES if "test" not in name)
        raise UsageError(f"unknown shape {shape!r}: expected one of {known}")
    path = folder / shape
    if not (path / "model.safetensors").exists():
        write_checkpoint(path, SHAPES[shape], endless=True)
    return str(path)


def sounds_of(inputs: Sequence[str], limit_s: float) -> list[Samples]:
    """Up to so many seconds of the user's files, decoded: clips that cannot be are left out.

    Raises :class:`UsageError` where there is no sound at all.
    """
    metrics, settings = Metrics(), AudioSettings()
    decoder = MediaDecoder(settings, metrics)
    clips: list[Samples] = []
    left = round(limit_s * SAMPLE_RATE_HZ)
    with closing(
        decode_ahead(
            file_source(inputs, RetryingClient(metrics=metrics)), decoder, settings, metrics
        )
    ) as audios:
        for audio in audios:
            clip = _whole(audio) if isinstance(audio, Audio) else None
            if clip is not None and len(clip):
                clips.append(clip[:left])
                left -= len(clips[-1])
            if left <= 0:
                break
    if not clips:
        raise UsageError(f"no sound in {', '.join(inputs)}: expected files that can be decoded")
    return clips


def _whole(audio: Audio) -> Samples | None:
    try:
        blocks = list(audio.blocks)
    except ClipError:
        return None
    return np.concatenate(blocks) if blocks else None
