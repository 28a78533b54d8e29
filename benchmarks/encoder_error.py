"""How far reduced precisions of the PyTorch engine put the encoder's output from float32's.

    python -m benchmarks.encoder_error [--models base,tiny.en] [--count 6] [--precisions …]

Of real weights and recordings: root mean square errors over the standard deviation of what float32
gives, the mean over recordings and the greatest. Slow on a CPU: a layer in bfloat16 is emulated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.accuracy.measure import model_path
from benchmarks.accuracy.recordings import decoded
from benchmarks.speech_folder import speech_folder
from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import Checkpoint, load
from quest22.engine.torch.cache import CrossKVPool
from quest22.engine.torch.device import choose_placement
from quest22.engine.torch.model import WhisperModel
from quest22.records import SAMPLE_RATE_HZ, WINDOW_S

PRECISIONS = "bfloat16,int8_weights_bfloat16,fp8_encoder"
SAMPLES = int(WINDOW_S * SAMPLE_RATE_HZ)


def features(found: Checkpoint, files: list[Path]) -> list[Tensor]:
    """Of the first window of each recording, ``[1, mel bins, 3000]``."""
    log_mel = LogMel(found.dimensions.mel_bins)
    windows = (decoded(file)[:SAMPLES] for file in files)
    padded = (np.pad(each, (0, SAMPLES - len(each))) for each in windows)
    return [torch.from_numpy(np.ascontiguousarray(log_mel(each)[None])) for each in padded]


def outputs(found: Checkpoint, precision: str, windows: list[Tensor]) -> list[Tensor]:
    """What the encoder gives for each window, in float32."""
    model = WhisperModel(found.weights, found.dimensions, choose_placement("cpu", precision))
    pool = CrossKVPool(model.dims, 1, model.placement)
    with torch.inference_mode():
        return [model.encode(each, pool, slice(0, 1)).float() for each in windows]


def main() -> None:
    """Print a line for each model and precision."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoder_error")
    parser.add_argument("--models", default="base,tiny.en")
    parser.add_argument("--precisions", default=PRECISIONS)
    parser.add_argument("--speech", type=Path, default=speech_folder(), help="folder of sets")
    parser.add_argument("--set", default="en_commonvoice100")
    parser.add_argument("--count", type=int, default=6, help="recordings")
    given = parser.parse_args()
    files = sorted((given.speech / given.set).glob("*.flac"))[: given.count]
    for name in given.models.split(","):
        found = load(model_path(name))
        windows = features(found, files)
        expected = outputs(found, "float32", windows)
        for precision in given.precisions.split(","):
            pairs = zip(outputs(found, precision, windows), expected, strict=True)
            errors = [float((a - b).square().mean().sqrt() / b.std()) for a, b in pairs]
            print(f"{name} {precision}: {np.mean(errors):.4f}, at most {max(errors):.4f}")


if __name__ == "__main__":
    main()
