"""Checkpoints as a stranger may have made them: nano with one thing wrong, each loaded and run.

``python -m tests.checkpoint.hostile FOLDER`` prints a line of JSON for each; it is a process of its
own, so that no memory, crash or hang of one reaches the tests.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quest22.bench.peers.ggml import write_ggml
from quest22.checkpoint.load import Checkpoint, load
from tests.support.ctranslate2 import ALIASES, whisper_variables, write_model
from tests.support.peak_memory import peak_mb

MEMORY_BYTES = 4 << 30
CASE_S = 60

Edit = Callable[[Path], object]


@dataclass(frozen=True, slots=True)
class Case:
    """A change of a model's files and a part of the message that must come; None: it works."""

    name: str
    edit: Edit
    message: str | None
    base: str = "folder"


def changed(file: str, **values: Any) -> Edit:
    """Fields of a JSON file set to other values."""

    def edit(folder: Path) -> None:
        document = json.loads((folder / file).read_text())
        replace(folder / file, json.dumps(document | values))

    return edit


def text(file: str, content: str | bytes) -> Edit:
    """A file with other content."""
    return lambda folder: replace(folder / file, content)


def replace(path: Path, content: str | bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def link(file: str, target: str) -> Edit:
    def edit(folder: Path) -> None:
        (folder / file).unlink(missing_ok=True)
        (folder / file).symlink_to(target)

    return edit


def pipe(file: str) -> Edit:
    def edit(folder: Path) -> None:
        (folder / file).unlink(missing_ok=True)
        os.mkfifo(folder / file)

    return edit


def directory(file: str) -> Edit:
    def edit(folder: Path) -> None:
        (folder / file).unlink(missing_ok=True)
        (folder / file).mkdir()

    return edit


def sparse(file: str, size: int) -> Edit:
    def edit(folder: Path) -> None:
        replace(folder / file, b"")
        os.truncate(folder / file, size)

    return edit


def tokenizer(**parts: Any) -> Edit:
    return changed("tokenizer.json", **parts)


def bpe(**parts: Any) -> Edit:
    def edit(folder: Path) -> None:
        document = json.loads((folder / "tokenizer.json").read_text())
        document["model"] |= parts
        replace(folder / "tokenizer.json", json.dumps(document))

    return edit


def split(pattern: str) -> dict[str, Any]:
    return {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }


def header(change: Callable[[dict[str, Any]], object], *, length: int | None = None) -> Edit:
    """The header of the weights, changed; ``length``: what it claims to be long."""

    def edit(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = path.read_bytes()
        (old,) = struct.unpack("<Q", content[:8])
        table = json.loads(content[8 : 8 + old])
        change(table)
        new = json.dumps(table).encode()
        claimed = len(new) if length is None else length
        replace(path, struct.pack("<Q", claimed) + new + content[8 + old :])

    return edit


def entry(**values: Any) -> Edit:
    return header(lambda table: table["model.encoder.conv1.weight"].update(values))


def overlapping(table: dict[str, Any]) -> None:
    first, second = (table[f"model.encoder.layers.0.{name}.weight"] for name in ("fc1", "fc2"))
    first["data_offsets"] = second["data_offsets"]


def values(number: float) -> Edit:
    """One weight is not a number that can be computed with."""

    def edit(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = bytearray(path.read_bytes())
        (length,) = struct.unpack("<Q", content[:8])
        table = json.loads(content[8 : 8 + length])
        at = 8 + length + table["model.encoder.layers.0.fc1.weight"]["data_offsets"][0]
        content[at : at + 2] = np.float16(number).tobytes()
        replace(path, bytes(content))

    return edit


def patched(offset: int, content: bytes) -> Edit:
    """Some bytes of a single-file model, or of ``model.bin``."""

    def edit(path: Path) -> None:
        target = path / "model.bin" if path.is_dir() else path
        whole = bytearray(target.read_bytes())
        whole[offset : offset + len(content)] = content
        replace(target, bytes(whole))

    return edit


def cut(size: int) -> Edit:
    def edit(path: Path) -> None:
        target = path / "model.bin" if path.is_dir() else path
        replace(target, target.read_bytes()[:size])

    return edit


def appended(content: bytes) -> Edit:
    return lambda path: replace(path, path.read_bytes() + content)


def ct2_variables(**replaced: Any) -> Edit:
    def edit(folder: Path) -> None:
        found = whisper_variables(load("nano"))
        for name, value in replaced.items():
            key = name.replace("__", "/")
            found[key] = value(found[key]) if callable(value) else value
        found = {name: value for name, value in found.items() if value is not None}
        (folder / "model.bin").unlink()
        write_model(folder / "model.bin", found, ALIASES)

    return edit


C, G, T = "config.json", "generation_config.json", "tokenizer.json"
BIG = 10**30
GGML_TOKENS = 56 + 80 * 201 * 4
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
EMPTY = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}

CASES = (
    Case("as it is", lambda folder: None, None),
    # Numbers of tokens.
    *(
        Case(f"{name} {value!r}"[:50], changed(G, **{name: value}), message)
        for name in ("eos_token_id", "decoder_start_token_id", "pad_token_id")
        for value, message in (
            (51_865, "is token 51865"),
            (BIG, f"{BIG}"),
            (-1, "expected a token id"),
            (50_257.0, "expected a token id"),
            ("50257", "expected a token id"),
            (True, "expected a token id"),
            ([1, 2], "expected a token id"),
        )
    ),
    Case("eos at the beginning", changed(G, eos_token_id=0), "the end of text is token 0"),
    Case("eos is a time", changed(G, eos_token_id=51_000), "in this order"),
    Case("sot is eot", changed(G, decoder_start_token_id=50_257), "have one number"),
    Case("no timestamps", changed(G, no_timestamps_token_id=99_999), "99999|before the timestamps"),
    Case("prev", changed(G, prev_sot_token_id=70_000), "is token 70000"),
    Case("suppressed beyond", changed(G, suppress_tokens=[1, 60_000, BIG]), None),
    Case("suppressed first beyond", changed(G, begin_suppress_tokens=[BIG]), None),
    Case(
        "everything suppressed", changed(G, suppress_tokens=list(range(51_865))), "suppresses every"
    ),
    Case("suppressed strings", changed(G, suppress_tokens=["1"]), "a list of token ids"),
    Case("suppressed floats", changed(G, suppress_tokens=[1.5]), "a list of token ids"),
    Case("suppressed object", changed(G, suppress_tokens={"a": 1}), "a list of token ids"),
    Case("forced beyond", changed(G, forced_decoder_ids=[[1, 99_999]]), "is token 99999"),
    Case("forced late", changed(G, forced_decoder_ids=[[BIG, 50_259]]), None),
    Case("forced words", changed(G, forced_decoder_ids="abc"), "pairs"),
    Case("language beyond", changed(G, lang_to_id={"<|en|>": 51_865}), "is token 51865"),
    Case("language huge", changed(G, lang_to_id={"<|en|>": BIG}), "is token 1000"),
    Case("language list", changed(G, lang_to_id=[1]), "an object of token ids"),
    Case("task beyond", changed(G, task_to_id={"transcribe": 99_999}), "is token 99999"),
    Case("first timestamp", changed(G, max_initial_timestamp_index=BIG), None),
    Case("length", changed(G, max_length=BIG), "max_length is 1000"),
    Case("length zero", changed(G, max_length=0), "max_length is 0"),
    Case("heads beyond", changed(G, alignment_heads=[[3, 0]]), "head 0 of layer 3"),
    Case("heads huge", changed(G, alignment_heads=[[0, BIG]]), "alignment_heads names head"),
    Case("heads often", changed(G, alignment_heads=[[2, 0]] * 100_000), "names a head twice"),
    Case("heads negative", changed(G, alignment_heads=[[-1, 0]]), "pairs"),
    Case("heads triples", changed(G, alignment_heads=[[1, 0, 0]]), "pairs"),
    Case("multilingual", changed(G, is_multilingual="yes"), "true or false"),
    # Dimensions.
    *(
        Case(f"{name} {value!r}"[:50], changed(C, **{name: value}), message)
        for name in ("d_model", "encoder_layers", "decoder_attention_heads", "vocab_size")
        for value, message in (
            (0, "expected a whole number"),
            (-4, "expected a whole number"),
            (BIG, "expected a whole number"),
            (4.0, "expected a whole number"),
            ("4", "expected a whole number"),
            (True, "expected a whole number"),
            (None, "expected a whole number"),
        )
    ),
    Case("wide", changed(C, d_model=8160), "has the shape"),
    Case("deep", changed(C, encoder_layers=256), "no tensor"),
    Case("words", changed(C, vocab_size=1_000_000), "has the shape"),
    Case("few positions", changed(C, max_target_positions=4), "too few"),
    Case("mel bins", changed(C, num_mel_bins=128), "has the shape"),
    Case("heads that do not divide", changed(C, encoder_attention_heads=7), "not divisible"),
    Case("infinite", text(C, '{"model_type": "whisper", "d_model": 1e999}'), "whole number"),
    Case("not a number", text(C, '{"model_type": "whisper", "d_model": NaN}'), "whole number"),
    # Files.
    Case("zeros without end", link(C, "/dev/zero"), "a device"),
    Case("a pipe", pipe(C), "a named pipe"),
    Case("a folder", directory(C), "a folder"),
    Case("a link to itself", link(C, C), "cannot be read"),
    Case("a link to nowhere", link(C, "nowhere"), "has no config.json"),
    Case("a link as in the Hub's cache", lambda folder: through_link(folder / C), None),
    Case("sparse", sparse(C, 1 << 40), "larger than 4 MiB"),
    *(
        Case(f"{file}: {kind}", edit(file), message)
        for file in (G, T, "model.safetensors")
        for kind, edit, message in (
            ("zeros without end", lambda name: link(name, "/dev/zero"), "a device"),
            ("a pipe", pipe, "a named pipe"),
            ("a folder", directory, "a folder"),
        )
    ),
    Case("sparse tokenizer", sparse(T, 1 << 40), "larger than 16 MiB"),
    Case("sparse weights", sparse("model.safetensors", 1 << 34), "safetensors"),
    Case("empty weights", text("model.safetensors", ""), "cannot be read"),
    Case("deep JSON", text(C, "[" * 100_000 + "]" * 100_000), "nested too deeply"),
    Case("deep objects", text(C, '{"a":' * 100_000 + "1" + "}" * 100_000), "nested too deeply"),
    Case("many lists", text(C, "[" + "[]," * 1_300_000 + "1]"), "lists and objects"),
    Case("keys twice", text(C, '{"model_type": "whisper", "model_type": "bert"}'), "there twice"),
    Case("long number", text(C, '{"d_model": ' + "9" * 100_000 + "}"), "not JSON"),
    Case("UTF-16", text(C, '{"model_type": "bert"}'.encode("utf-16")), "expected 'whisper'"),
    Case("no text", text(C, b"\xff\xfe\x00\xd8"), "not JSON"),
    Case("a list", text(G, "[]"), "expected a JSON object"),
    # The tokenizer.
    Case("a pattern that never ends", tokenizer(pre_tokenizer=split("(a|a|aa)+$x")), "Split"),
    Case("a pattern that is none", tokenizer(pre_tokenizer=split("(")), "Split"),
    Case(
        "a sequence",
        tokenizer(pre_tokenizer={"type": "Sequence", "pretokenizers": [split("(a+)+c")]}),
        "Split",
    ),
    Case("GPT-2's pattern", tokenizer(pre_tokenizer=split(GPT2)), None),
    Case(
        "a replacement",
        tokenizer(normalizer={"type": "Replace", "pattern": {"Regex": "(a+)+c"}, "content": ""}),
        "the normalizer Replace",
    ),
    Case(
        "precompiled",
        tokenizer(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        "the normalizer Precompiled",
    ),
    Case("decoder", tokenizer(decoder={"type": "Replace", "pattern": {"Regex": "("}}), "decoder"),
    Case("parts that are none", tokenizer(pre_tokenizer=[1], decoder=3, normalizer="x"), "has the"),
    Case("sequence of nothing", tokenizer(decoder={"type": "Sequence", "decoders": 5}), "damaged"),
    Case("dropout", bpe(dropout=0.5), "dropout"),
    Case("prefix", bpe(continuing_subword_prefix="ab" * 50), "continuing_subword_prefix"),
    Case("no BPE", bpe(type="WordLevel"), "no BPE model"),
    Case("numbers of words", bpe(vocab={"a": BIG}), "numbers a token"),
    Case("negative words", bpe(vocab={"a": -1}), "numbers a token"),
    Case("words as a list", bpe(vocab=["a", "b"]), "numbers a token"),
    Case("merges of nothing", bpe(merges=["q zzz"]), "the tokenizer is damaged"),
    Case("merges as numbers", bpe(merges=5), "the tokenizer is damaged"),
    Case("added far", tokenizer(added_tokens=[{"id": BIG, "content": "x", **EMPTY}]), "numbers a"),
    Case("nothing added", tokenizer(added_tokens=[]), "the tokenizer has no"),
    Case("added words", tokenizer(added_tokens=["x", 5]), "numbers a token"),
    Case(
        "padding",
        tokenizer(
            padding={
                "strategy": {"Fixed": 1 << 62},
                "direction": "Right",
                "pad_to_multiple_of": None,
                "pad_id": 0,
                "pad_type_id": 0,
                "pad_token": "a",
            }
        ),
        None,
    ),
    Case("empty tokenizer", text(T, "{}"), "no BPE model"),
    # Weights.
    Case("length of the header", header(lambda table: None, length=1 << 60), "header claims"),
    Case("end beyond", entry(data_offsets=[0, 1 << 50]), "outside the file"),
    Case("end before", entry(data_offsets=[100, 0]), "outside the file"),
    Case("negative", entry(data_offsets=[-8, 57_592]), "outside the file"),
    Case("infinite offset", entry(data_offsets=[0, float("inf")]), "incomplete"),
    Case("offset of floats", entry(data_offsets=[0.0, 57_600.0]), "incomplete"),
    Case("three offsets", entry(data_offsets=[0, 1, 2]), "incomplete"),
    Case("shape", entry(shape=[120, 80, 4]), "does not fill"),
    Case("shape of zeros", entry(shape=[0, 0, 0]), "does not fill"),
    Case("shape that wraps", entry(shape=[1 << 62, 4, 1 << 62]), "does not fill"),
    Case("shape of many axes", entry(shape=[1] * 99 + [120 * 80 * 3]), "does not fill"),
    Case("shape of words", entry(shape="abc"), "incomplete"),
    Case("a type unknown", entry(dtype="Q4"), "has the type 'Q4'"),
    Case("a type of another width", entry(dtype="F64"), "does not fill"),
    Case("whole numbers", entry(dtype="I16"), "stored as I16"),
    Case("an entry that is none", header(lambda table: table.update(x=5)), "incomplete"),
    Case("overlap", header(overlapping), "overlap"),
    Case("not a number among the weights", values(float("nan")), "not finite"),
    Case("infinite among the weights", values(float("inf")), "not finite"),
    # whisper.cpp's file: magic, ten sizes, a format, filters.
    Case("ggml as it is", lambda path: None, None, "ggml"),
    Case("ggml vocabulary", patched(4, struct.pack("<i", 1 << 30)), "vocab_size is", "ggml"),
    Case("ggml heads zero", patched(16, struct.pack("<i", 0)), "is 0", "ggml"),
    Case("ggml heads many", patched(16, struct.pack("<i", 7)), "not divisible", "ggml"),
    Case("ggml heads beyond", patched(16, struct.pack("<i", 9999)), "encoder_attention_h", "ggml"),
    Case("ggml filters", patched(48, struct.pack("<2i", 128, 201)), "mel bins for 80", "ggml"),
    Case("ggml filters huge", patched(48, struct.pack("<2i", 80, 1 << 30)), "filters", "ggml"),
    Case("ggml tokens", patched(GGML_TOKENS, b"\xff\xff\xff\x7f"), "claims", "ggml"),
    Case(
        "ggml few tokens",
        patched(GGML_TOKENS, struct.pack("<i", 5)),
        "number format|not a whole",
        "ggml",
    ),
    Case(
        "ggml a token's length",
        patched(GGML_TOKENS + 4, b"\xff\xff\xff\xff"),
        "a token claims",
        "ggml",
    ),
    Case("ggml cut", cut(3_000_000), "ends too early", "ggml"),
    Case("ggml behind the end", appended(b"\1" * 7), "ends too early", "ggml"),
    Case("ggml axes", appended(struct.pack("<3i", 99, 4, 0)), "99 axes", "ggml"),
    Case("ggml name", appended(struct.pack("<3i", 1, 1 << 30, 0)), "a name of", "ggml"),
    Case("ggml shape", appended(struct.pack("<4i", 1, 1, 0, -5) + b"x"), "has the shape", "ggml"),
    Case(
        "ggml format", appended(struct.pack("<4i", 1, 1, 77, 5) + b"x"), "number format 77", "ggml"
    ),
    Case(
        "ggml twice",
        appended((struct.pack("<4i", 1, 1, 0, 1) + b"x" + bytes(4)) * 2),
        "twice",
        "ggml",
    ),
    # CTranslate2's folder.
    Case("ctranslate2 as it is", lambda folder: None, None, "ctranslate2"),
    Case(
        "ctranslate2 version", patched(0, b"\xff\xff\xff\xff"), "CTranslate2 format", "ctranslate2"
    ),
    Case("ctranslate2 name", patched(4, b"\xff\xff"), "a name claims", "ctranslate2"),
    Case("ctranslate2 variables", patched(22, b"\xff\xff\xff\xff"), "variables", "ctranslate2"),
    Case("ctranslate2 cut", cut(900_000), "ends too early", "ctranslate2"),
    Case(
        "ctranslate2 heads zero",
        ct2_variables(encoder__num_heads=np.array(0, np.int8)),
        "encoder_attention_heads is 0",
        "ctranslate2",
    ),
    Case(
        "ctranslate2 heads of no whole number",
        ct2_variables(decoder__num_heads=np.array(float("nan"), np.float32)),
        "no whole number",
        "ctranslate2",
    ),
    Case(
        "ctranslate2 no scale",
        ct2_variables(encoder__conv1__weight=lambda was: was.astype(np.int8)),
        "lacks its scales",
        "ctranslate2",
    ),
    Case(
        "ctranslate2 flat",
        ct2_variables(encoder__conv1__weight=lambda was: was.reshape(-1)),
        "not Whisper's",
        "ctranslate2",
    ),
    Case(
        "ctranslate2 scale of zero",
        ct2_variables(
            encoder__layer_0__ffn__linear_0__weight=lambda was: np.ones(was.shape, np.int8),
            encoder__layer_0__ffn__linear_0__weight_scale=np.array(0, np.float32),
        ),
        "not finite",
        "ctranslate2",
    ),
    Case(
        "ctranslate2 heads often",
        changed(C, alignment_heads=[[2, 0]] * 100_000),
        "twice",
        "ctranslate2",
    ),
    Case("ctranslate2 suppressed", changed(C, suppress_ids=[BIG]), None, "ctranslate2"),
    Case("ctranslate2 a pipe", pipe(C), "a named pipe", "ctranslate2"),
)


def through_link(path: Path) -> None:
    blob = path.parent.parent / "blob"
    replace(blob, path.read_bytes())
    path.unlink()
    path.symlink_to(blob)


def bases(home: Path) -> dict[str, Path]:
    """The models that are changed, as a folder, whisper.cpp's file and CTranslate2's folder."""
    nano = load("nano")
    found = {"folder": nano.folder, "ggml": home / "ggml.bin", "ctranslate2": home / "ct2"}
    write_ggml("nano", found["ggml"])
    found["ctranslate2"].mkdir()
    write_ct2(nano, found["ctranslate2"])
    return found


def write_ct2(nano: Checkpoint, folder: Path) -> None:
    write_model(folder / "model.bin", whisper_variables(nano), ALIASES)
    (folder / C).write_text("{}")
    (folder / T).symlink_to(nano.folder / T)


def copy_of(base: Path, target: Path) -> Path:
    """A model whose files are links, so that only what is changed is written."""
    target.parent.mkdir()
    if base.is_file():
        target.symlink_to(base)
        return target
    target.mkdir()
    for path in base.iterdir():
        if path.is_file():
            (target / path.name).symlink_to(path.resolve())
    return target


def outcome(model: Path) -> dict[str, str | None]:
    """What loading and running a model gives: the class of the error and its message."""
    import quest22

    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    try:
        with quest22.Transcriber(str(model), vad="off", long_form="chunked") as whisper:
            whisper.transcribe(sound)
    except BaseException as error:
        known = isinstance(error, quest22.errors.Quest22Error)
        return {"error": type(error).__name__ if known else f"!{error!r}", "message": str(error)}
    return {"error": None, "message": None}


def main(home: Path) -> None:
    models = bases(home)
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for number, case in enumerate(CASES):
        model = copy_of(models[case.base], home / f"{number}" / "model")
        case.edit(model)
        signal.alarm(CASE_S)  # ends the process: the case after the last line hangs
        result = outcome(model)
        print(json.dumps({"name": case.name, **result, "peak_mb": peak_mb()}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
