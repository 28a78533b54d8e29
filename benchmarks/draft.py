"""What a draft model brings: decoding with and without one, in turn, on the same windows.

    python -m benchmarks.draft --model base --layers 0,5          real weights, real speech
    python -m benchmarks.draft --shape small --layers 0,1 --fade 0.1

The draft is the model with some of its decoder layers, so the two share their encoder; nothing was
trained for it, as a distilled model is. Of a ``--shape`` the weights are random and the layers that
the draft lacks are multiplied by ``--fade``: at 0 they do nothing, and every guess is right. So it
shows what steps cost, at a share of right guesses that real models may have or not.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import soundfile
import soxr

from benchmarks.speech_folder import speech_folder
from quest22.audio.log_mel import LogMel
from quest22.bench.clips import synthetic_clips
from quest22.bench.random_checkpoint import random_model
from quest22.checkpoint.caches import own_folder
from quest22.checkpoint.formats.safetensors import Tensor, to_bytes, write_safetensors
from quest22.checkpoint.load import Checkpoint, load
from quest22.engine.build import build_engine
from quest22.engine.engine import WhisperEngine
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, DecodingOptions, Hypothesis, Samples, Window
from quest22.settings import EngineSettings

WINDOW = 30 * SAMPLE_RATE_HZ


def with_layers(checkpoint: Checkpoint, layers: Sequence[int]) -> Checkpoint:
    """A checkpoint with these decoder layers alone."""
    first = "decoder.layers.0."
    parts = [name.removeprefix(first) for name in checkpoint.weights if name.startswith(first)]
    names = {
        f"decoder.layers.{place}.{part}": f"decoder.layers.{layer}.{part}"
        for place, layer in enumerate(layers)
        for part in parts
    }
    return replace(
        checkpoint,
        name=f"layers {', '.join(map(str, layers))}",
        dimensions=replace(checkpoint.dimensions, decoder_layers=len(layers)),
        generation=replace(checkpoint.generation, alignment_heads=()),
        weights=checkpoint.weights.joined(checkpoint.weights, names),
    )


def faded(source: Path, folder: Path, kept: Iterable[int], factor: float) -> Path:
    """A copy of a checkpoint in which all decoder layers but those kept add less to their input."""
    weights, untouched = load(str(source)).weights, {f"layers.{layer}." for layer in kept}

    def content(name: str) -> bytes:
        values = np.array(weights[name])
        last = name.rpartition(".")[0].endswith(("out_proj", "fc2"))
        if name.startswith("decoder.") and last and not any(each in name for each in untouched):
            values *= factor
        return to_bytes(values, "F32")

    folder.mkdir()
    for each in source.iterdir():
        if each.suffix != ".safetensors":
            (folder / each.name).write_bytes(each.read_bytes())
    tensors = [
        Tensor(f"model.{name}", "F32", weights.shape(name), partial(content, name))
        for name in weights
        if name != "proj_out.weight"
    ]
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def speech(count: int) -> list[Samples]:
    """Windows of real speech, each full of sentences."""
    sounds = [
        soundfile.read(path, dtype="float32")
        for path in sorted((speech_folder() / "en_ljspeech30").glob("*.flac"))
    ]
    whole = np.concatenate([soxr.resample(*each, SAMPLE_RATE_HZ) for each in sounds])
    return [whole[start : start + WINDOW] for start in range(0, len(whole) - WINDOW, WINDOW)][
        :count
    ]


def decode(whisper: WhisperEngine, windows: Sequence[Window]) -> tuple[list[Hypothesis], float]:
    """Hypotheses, and seconds of processor time that decoding took, a window."""
    found: list[Hypothesis] = []
    used_s = 0.0
    for start in range(0, len(windows), whisper.batch_size):
        batch = whisper.begin(windows[start : start + whisper.batch_size])  # encoded
        before = process_time()
        found += whisper.finish(batch)
        used_s += process_time() - before
    return found, used_s / len(windows)


def main() -> int:
    """Print a line for each batch size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.draft")
    parser.add_argument("--model", default="base")
    parser.add_argument("--shape")
    parser.add_argument("--layers", default="0,5")
    parser.add_argument("--fade", type=float, default=0.0)
    parser.add_argument("--batches", default="1,16")
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--compute-type", default="auto")
    arguments = parser.parse_args()
    layers = [int(layer) for layer in arguments.layers.split(",")]
    with tempfile.TemporaryDirectory(prefix="quest22-draft-") as folder:
        if arguments.shape:
            made = Path(random_model(Path(folder), arguments.shape))
            model = load(str(faded(made, Path(folder) / "faded", layers, arguments.fade)))
            sounds = synthetic_clips(arguments.windows, 30.0)
            decoding = DecodingOptions("en", max_new_tokens=100)
        else:
            model = load(str(own_folder(arguments.model)))
            sounds, decoding = speech(arguments.windows), DecodingOptions("en")
        windows = [Window(sound, 0.0, decoding, place) for place, sound in enumerate(sounds)]
        for batch in map(int, arguments.batches.split(",")):
            print(
                compared(model, with_layers(model, layers), windows, batch, arguments), flush=True
            )
    return 0


def compared(
    model: Checkpoint,
    draft: Checkpoint,
    windows: Sequence[Window],
    batch: int,
    arguments: argparse.Namespace,
) -> str:
    """Medians of rounds in which both decode all windows in turn."""
    settings = EngineSettings(
        engine=arguments.engine,
        device="cpu",
        compute_type=arguments.compute_type,
        batch_size=batch,
    )
    features = LogMel(model.dimensions.mel_bins)
    engines = [build_engine(model, features, settings, Metrics(), each) for each in (None, draft)]
    runs = [[decode(each, windows) for each in engines] for _ in range(arguments.rounds)]
    (plain, _), (drafted, _) = runs[-1]
    other = sum(one.tokens != two.tokens for one, two in zip(plain, drafted, strict=True))
    without, with_one = (1000 * median(run[side][1] for run in runs) for side in (0, 1))
    search = getattr(engines[1]._backend, "_speculative", None)
    counts = "the draft is left out" if search is None else f"{search.counts}; {search.costs}"
    return (
        f"{draft.name}, {engines[0].compute_type}, batch {batch}: decoder {without:.0f} → "
        f"{with_one:.0f} ms of processor time a window; {counts}; "
        f"{other} of {len(windows)} texts differ"
    )


if __name__ == "__main__":
    raise SystemExit(main())
