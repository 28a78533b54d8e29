"""What each precision costs in accuracy, on a trained model: nano.

    python -m benchmarks.precision [--speech FOLDER] [--clips N]

For each compute type: how far its logits are from float32's (root mean square over their standard
deviation, over the tokens that float32 chose), how many of those tokens it would choose as well,
and how many it does choose when it decodes for itself, all over real recordings; and the word error
rate on the sample dataset that ships with the product. Prints the table of docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.speech_folder import speech_folder
from quest22.audio.log_mel import LogMel
from quest22.bench.clips import read_clips
from quest22.checkpoint.load import Checkpoint, load
from quest22.demo.recordings import sample_files
from quest22.engine.build import build_engine
from quest22.engine.build_cpu import open_compiler, open_decoder, open_encoder
from quest22.engine.cpu_backend import DecoderSession
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.openvino.compiled_graphs import CompiledGraphs
from quest22.evaluation.score import Scoreboard
from quest22.evaluation.texts import pair_of
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, Failure, Samples, Window
from quest22.runtime.build import Pipeline
from quest22.settings import DatasetSettings, EngineSettings, PipelineSettings
from quest22.system.machine import usable_cores

COMPUTE_TYPES = {
    "float32": "float32",
    "bfloat16": "bfloat16",
    "int8_kv": "bfloat16, keys and values in int8",
    "int8_weights": "int8 weights",
    "int8": "int8 weights, activations, keys and values",
}
SETS = ("en_ljspeech30", "en_commonvoice100", "ru_golos15")
ASKED = DecodingOptions("en", max_new_tokens=60)


def logits(
    checkpoint: Checkpoint,
    compute_type: str,
    asked: Sequence[tuple[NDArray[np.float32], Sequence[int]]],
) -> Iterator[NDArray[np.float32]]:
    """Logits ``[T, vocabulary]`` after each of the tokens, for each pair of features and tokens."""
    compiler = open_compiler("cpu", compute_type, None)
    graphs, threads = CompiledGraphs.of(checkpoint, compiler), usable_cores()
    decoder = open_decoder(checkpoint, graphs, threads)
    cross_kv = CrossKVCache(checkpoint.dimensions, 1, decoder.kv_element)
    encoder = open_encoder(checkpoint, graphs, decoder, cross_kv, threads)
    session = DecoderSession(decoder, cross_kv)
    for features, tokens in asked:
        encoder.begin_batch(1)
        encoder.submit(0, features)
        encoder.wait()
        session.restart([0])
        yield session.step(np.array([tokens], np.int32), range(len(tokens)))[0].copy()


def transcribe(
    checkpoint: Checkpoint, compute_type: str, sounds: Sequence[Samples]
) -> list[tuple[int, ...]]:
    """What greedy decoding gives for each sound."""
    settings = EngineSettings("nano", compute_type=compute_type, batch_size=16)
    features = LogMel(checkpoint.dimensions.mel_bins)
    engine = build_engine(checkpoint, features, settings, Metrics())
    windows = [Window(sound[:480_000], 0.0, ASKED) for sound in sounds]
    batches = [windows[at : at + 16] for at in range(0, len(windows), 16)]
    return [each.tokens for batch in batches for each in engine.run(batch)]


def word_error_rate(compute_type: str) -> float:
    """On the sample dataset, in its own languages as they are detected."""
    job = Pipeline(PipelineSettings(EngineSettings("nano", compute_type=compute_type)))
    files = tuple(map(str, sample_files()))
    scores = Scoreboard()
    for result in job.stream(DatasetSettings("parquet", data_files=files)):
        if not isinstance(result, Failure):
            scores.add(pair_of(result))
    return scores.overall.words.rate or 0.0


def equal_tokens(exact: Sequence[tuple[int, ...]], found: Sequence[tuple[int, ...]]) -> float:
    """The share of tokens that two transcripts have in common, in order."""
    same = total = 0
    for one, two in zip(exact, found, strict=True):
        blocks = SequenceMatcher(None, one, two, autojunk=False).get_matching_blocks()
        same += sum(block.size for block in blocks)
        total += max(len(one), len(two))
    return same / max(total, 1)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision")
    parser.add_argument("--speech", type=Path, default=speech_folder())
    parser.add_argument("--clips", type=int, default=60, help="recordings, at most")
    given = parser.parse_args()
    folders = [str(given.speech / name) for name in SETS]
    present = [name for name in folders if Path(name).is_dir()]
    inputs = present or [str(sample_files()[0].parent)]
    checkpoint = load("nano")
    sounds = _spread(read_clips(inputs, 3600.0), given.clips)
    prompt = checkpoint.tokens.initial_tokens("en", "transcribe", timestamps=False)
    exact = transcribe(checkpoint, "float32", sounds)
    features = LogMel(checkpoint.dimensions.mel_bins)
    asked = [
        (features(sound), (*prompt, *tokens)) for sound, tokens in zip(sounds, exact, strict=True)
    ]
    reference = list(logits(checkpoint, "float32", asked))
    start = len(prompt) - 1
    spread = float(np.concatenate([each[start:] for each in reference]).std())
    print(f"nano, {len(sounds)} recordings, {sum(map(len, exact))} tokens\n")
    print("| precision | logits error | same choice | same tokens | word error rate |")
    print("|---|---|---|---|---|")
    for compute_type, name in COMPUTE_TYPES.items():
        errors, agree, count = 0.0, 0, 0
        for right, found in zip(reference, logits(checkpoint, compute_type, asked), strict=True):
            errors += float(np.mean((found[start:] - right[start:]) ** 2)) * len(right[start:])
            agree += int((found[start:].argmax(1) == right[start:].argmax(1)).sum())
            count += len(right[start:])
        said = exact if compute_type == "float32" else transcribe(checkpoint, compute_type, sounds)
        print(
            f"| {name} (`{compute_type}`) | {np.sqrt(errors / count) / spread:.1e} "
            f"| {agree / count:.2%} | {equal_tokens(exact, said):.2%} "
            f"| {word_error_rate(compute_type):.2%} |",
            flush=True,
        )
    return 0


def _spread(sounds: Sequence[Samples], count: int) -> list[Samples]:
    """So many of them, evenly spread."""
    step = max(1, -(-len(sounds) // count))
    return list(sounds[::step])


if __name__ == "__main__":
    sys.exit(main())
