"""The way back from a packed checkpoint to a model in training, to train shipped weights further.

The projection of timestamps is folded into their rows, so it begins at zero.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from recipes.nano.model import Nano
from recipes.nano.vocabulary import OFFICIAL_SIZE, Vocabulary

TABLE = "decoder.embed_tokens.weight"


def begin_from(folder: Path, model: Nano, words: Vocabulary) -> None:
    """Give ``model`` the weights of the checkpoint in ``folder``."""
    packed = load_file(folder / "model.safetensors")
    state = {name.removeprefix("model."): value.float() for name, value in packed.items()}
    del state["encoder.embed_positions.weight"]
    table = state[TABLE]
    unused = next(index for index in range(OFFICIAL_SIZE) if index not in words.compact)
    state[TABLE] = table[torch.tensor([*words.used, unused])]
    state["decoder.stamp_proj.weight"] = torch.zeros_like(model.decoder.stamp_proj.weight)
    head = load_file(folder / "ctc_head.safetensors")
    state |= {f"ctc.{name}": value.float() for name, value in head.items()}
    model.load_state_dict(state)
