"""How much is measured: the true sizes on a GPU, or toy sizes to rehearse on a CPU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from quest22.bench.random_checkpoint import SHAPES, Shape, write_checkpoint


@dataclass(frozen=True, slots=True)
class Sizes:
    """``windows`` are those of a timed run; ``batches`` how many are decoded at once."""

    device: str
    dtype: str
    windows: int
    batches: tuple[int, ...]
    tokens: int
    fewer_tokens: int
    rounds: int
    matrices: tuple[tuple[int, int, int], ...]
    attention: tuple[int, int, int, int]
    copied_bytes: int
    checked_shapes: tuple[str, ...]
    toy: bool = False

    def shape(self, name: str) -> Shape:
        """A model's true shape, or a toy with its vocabulary and mel bins."""
        true = SHAPES[name]
        if not self.toy:
            return true
        return replace(true, d_model=64, heads=2, encoder_layers=1, decoder_layers=1)


FULL = Sizes(
    device="cuda",
    dtype="bfloat16",
    windows=512,
    batches=(64, 128, 256),
    tokens=100,
    fewer_tokens=64,
    rounds=3,
    matrices=((8192, 8192, 8192), (48_000, 1280, 5120)),
    attention=(16, 20, 1500, 64),
    copied_bytes=4 << 30,
    checked_shapes=("tiny", "small", "large-v3-turbo"),
)
REHEARSAL = Sizes(
    device="cpu",
    dtype="float32",
    windows=5,
    batches=(1, 2),
    tokens=5,
    fewer_tokens=3,
    rounds=1,
    matrices=((64, 64, 64),),
    attention=(1, 2, 64, 32),
    copied_bytes=1 << 20,
    checked_shapes=("tiny",),
    toy=True,
)


def checkpoint(folder: Path, name: str, sizes: Sizes) -> Path:
    """A model of random weights that never ends its text, written where it is not there yet."""
    path = folder / name
    done = path / "complete"
    if not done.exists():
        write_checkpoint(path, sizes.shape(name), dtype="BF16", endless=True)
        done.touch()
    return path


def synchronize(sizes: Sizes) -> None:
    """Wait until the device has done what it was given."""
    if sizes.device.startswith("cuda"):
        torch.cuda.synchronize()
