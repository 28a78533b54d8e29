"""Thousands of small damages to a model's files: each must load, or be refused in one clear line.

``python -m tests.checkpoint.mutations FOLDER COUNT`` prints what else came. The model is a small
one, of 1,768 tokens, so that a damage takes milliseconds; whisper.cpp's and CTranslate2's files are
nano's, damaged fewer times.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from quest22.bench.peers.ggml import write_ggml
from quest22.checkpoint.byte_level_bpe import byte_level_tokenizer
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.formats.safetensors import Tensor, write_safetensors
from quest22.checkpoint.load import Checkpoint, load
from quest22.checkpoint.vocabulary import add_tokens
from quest22.checkpoint.weight_shapes import expected_shapes
from quest22.decoding.logits_rules import LogitsRules
from quest22.decoding.prompts import PromptBuilder
from quest22.errors import Quest22Error
from quest22.records import DecodingOptions
from tests.checkpoint.hostile import write_ct2

MEMORY_BYTES = 4 << 30
MUTATION_S = 30
TEXT = 257
CONTROL = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|ru|>", "<|translate|>"),
    *("<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
)
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 1.5, 1e308, float("inf"), float("nan"), 2**31, 2**63, 10**40),
    *("", "x", "whisper", "\ud800", "<|en|>", "\0" * 9, [], {}, [[]], [[1, 2, 3]], [None], [-1]),
    *([2**64], {"a": 1}, {"a": None}, {"type": "Sequence"}, {"type": "ByteLevel"}, ["a", "b"]),
)


def write_small(folder: Path) -> Path:
    """A complete model of one layer a side, with random weights."""
    folder.mkdir()
    numbers = {name: TEXT + place for place, name in enumerate(CONTROL)}
    first = TEXT + len(CONTROL)
    times = {f"<|{step * 0.02:.2f}|>": first + step for step in range(1501)}
    tokenizer = byte_level_tokenizer([*(bytes([byte]) for byte in range(256)), b"ab"])
    add_tokens(tokenizer, numbers | times)
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    size = first + 1501
    config = {
        "model_type": "whisper",
        "d_model": 8,
        "vocab_size": size,
        "num_mel_bins": 80,
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 8,
        "decoder_layers": 1,
        "decoder_attention_heads": 2,
        "decoder_ffn_dim": 8,
        "max_source_positions": 1500,
        "max_target_positions": 64,
        "eos_token_id": TEXT,
    }
    generation = {
        "eos_token_id": TEXT,
        "decoder_start_token_id": TEXT + 1,
        "pad_token_id": TEXT,
        "suppress_tokens": [1, 2],
        "begin_suppress_tokens": [3, TEXT],
        "max_length": 64,
        "alignment_heads": [[0, 1]],
        "lang_to_id": {n: numbers[n] for n in CONTROL[2:4]},
        "task_to_id": {"transcribe": TEXT + 5, "translate": TEXT + 4},
        "no_timestamps_token_id": first - 1,
        "prev_sot_token_id": TEXT + 7,
        "is_multilingual": True,
        "forced_decoder_ids": [[1, None], [2, TEXT + 5]],
        "max_initial_timestamp_index": 50,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps(generation))
    shapes = expected_shapes(Dimensions.read(folder))
    tensors = [
        Tensor(f"model.{name}", "F16", shape, lambda shape=shape: random_bytes(shape))
        for name, shape in shapes
        if name != "proj_out.weight"
    ]
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def random_bytes(shape: tuple[int, ...]) -> bytes:
    return np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float16).tobytes()


def damage_json(content: bytes, dice: random.Random) -> bytes:
    """One value anywhere becomes another, is moved or doubled."""
    document = json.loads(content)
    places = list(_places(document, 3000))
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        owner, key = dice.choice(places)
        if dice.random() < 0.15:
            if isinstance(owner, dict):
                owner.pop(key, None)
        else:
            other, name = dice.choice(places)
            try:
                owner[key] = dice.choice((dice.choice(STRANGE), other[name]))
            except (KeyError, IndexError):
                continue
    try:
        return json.dumps(document).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):  # a value put into itself
        return content


def _places(value: Any, most: int) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < most:
        each = waiting.pop(0)
        keys = list(each) if isinstance(each, dict) else range(min(len(each), 50))
        for key in keys[:200]:
            found.append((each, key))
            if isinstance(each[key], (dict, list)) and each[key]:
                waiting.append(each[key])
    return found


def damage_bytes(content: bytes, dice: random.Random, head: int) -> bytes:
    """Some bytes among the first ones become others, are doubled or left out."""
    damaged = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 8))):
        at = dice.randrange(min(head, len(damaged)))
        match dice.randrange(4):
            case 0:
                damaged[at] = dice.randrange(256)
            case 1:
                damaged[at : at + 4] = dice.choice((b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f"))
            case 2:
                del damaged[at : at + dice.choice((1, 4, 1000))]
            case _:
                damaged[at:at] = damaged[at : at + dice.choice((1, 4, 100))]
    return bytes(damaged)


def use(checkpoint: Checkpoint) -> None:
    """What a run does with settings, tokens and weights before anything is computed."""
    dims, tokens = checkpoint.dimensions, checkpoint.tokens
    tokens.decode(tokens.encode("abba <|en|> 12 é"))
    tokens.decode([tokens.prev, 5, tokens.sot, 1, tokens.timestamp_begin])
    builder = PromptBuilder(tokens, checkpoint.generation, dims.max_target_positions)
    language = next(iter(tokens.languages), None)
    prompt = builder.build(DecodingOptions(previous=(1, 2), timestamps=True), language)
    rules = LogitsRules.of(checkpoint.generation, dims.vocab_size)
    logits = np.zeros((1, dims.vocab_size), np.float32)
    logits[0, list(prompt.tokens)] = 1
    rules.apply(logits, [[]], [prompt.timestamps])
    if dims.d_model < 100:
        for name in checkpoint.weights:
            checkpoint.weights[name]


def attempt(model: Path) -> str | None:
    """Load a model; the trace of what should not have come."""
    signal.alarm(MUTATION_S)  # a hang ends the process
    try:
        use(load(str(model)))
    except Quest22Error as error:
        return None if len(str(error)) < 600 else f"{len(str(error))} characters: {error}"[:300]
    except BaseException:
        return traceback.format_exc()[-700:]
    return None


def main(home: Path, count: int) -> int:
    """The exit code: 0 if all damaged files are read or refused."""
    small = write_small(home / "small")
    nano = load("nano")
    converted = home / "ct2"
    converted.mkdir()
    write_ct2(nano, converted)
    write_ggml("nano", home / "ggml.bin")
    assert not attempt(small), "the model as it is"
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    files = [
        *[(small / name, 10) for name in ("config.json", "generation_config.json")],
        *[(small / "tokenizer.json", 6), (small / "model.safetensors", 10)],
        *[(home / "ggml.bin", 1), (converted / "model.bin", 1)],
    ]
    bad = 0
    for number in range(count):
        dice = random.Random(number)
        (path,) = dice.choices([file for file, _ in files], [weight for _, weight in files])
        model = home / "damaged"
        copied = shutil.copytree(path.parent, model) if path.parent != home else model / "ggml.bin"
        copied.parent.mkdir(exist_ok=True)
        content = path.read_bytes()
        if path.suffix == ".json" and dice.random() < 0.8:
            damaged = damage_json(content, dice)
        else:
            head = 70_000 if path.name == "ggml.bin" else 6_000
            damaged = damage_bytes(content, dice, head)
        target = model / path.name
        target.unlink(missing_ok=True)
        target.write_bytes(damaged)
        if trace := attempt(target if path.name == "ggml.bin" else model):
            bad += 1
            print(f"{path.name}, {number}: {trace}", flush=True)
        shutil.rmtree(model)
    print("all", count, flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
