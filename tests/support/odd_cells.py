"""Odd values for an audio column, after what public datasets hold: most are no sound."""

from __future__ import annotations

import base64
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.corpora import wav_bytes

SOUND = wav_bytes()
ENCODED = base64.b64encode(SOUND).decode()
PCM = np.arange(-800, 800, dtype=np.int64) * 20


@dataclass(frozen=True)
class OddCell:
    """A value for an audio column; ``heard`` if it holds sound."""

    name: str
    value: Any
    heard: bool = False


def odd_files(folder: Path) -> None:
    """Files that are no recordings, and one that is: ``a.wav``."""
    (folder / "a.wav").write_bytes(SOUND)
    (folder / "a b%.wav").write_bytes(SOUND)
    (folder / "folder.wav").mkdir()
    os.mkfifo(folder / "pipe.wav")
    (folder / "dangling.wav").symlink_to("nowhere.wav")
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "zero.wav").symlink_to("/dev/zero")
    (folder / "empty.wav").touch()
    with socket.socket(socket.AF_UNIX) as unbound:
        os.chdir(folder)  # a socket's path is short
        unbound.bind("socket.wav")
    secret = folder / "locked"
    secret.mkdir()
    (secret / "a.wav").write_bytes(SOUND)


def json_cells(folder: Path) -> list[OddCell]:
    """Values that JSON can hold; paths are in ``folder``, prepared by :func:`odd_files`."""
    floats = np.sin(np.arange(1600) / 10).tolist()
    rate = {"sampling_rate": 16_000}
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    heard = [
        ("base64", ENCODED),
        ("base64 in lines", "\n".join(ENCODED[i : i + 76] for i in range(0, len(ENCODED), 76))),
        ("base64 without padding", ENCODED.rstrip("=")),
        ("base64 for URLs", base64.urlsafe_b64encode(SOUND).decode()),
        ("data URL", f"data:audio/wav;base64,{ENCODED}"),
        ("data URL, parameters", f"data:audio/wav;codecs=1;base64,{ENCODED}"),
        ("data URL, quoted", "data:audio/wav," + "".join(f"%{byte:02x}" for byte in SOUND)),
        ("record of base64", {"bytes": ENCODED, "path": None}),
        ("record of short base64 and a path", {"bytes": ENCODED, "path": "x.wav"}),
        ("record of numbers", {"bytes": list(SOUND), "path": None}),
        ("record of a data URL", {"path": f"data:;base64,{ENCODED}"}),
        ("path", "a.wav"),
        ("absolute path", str(folder / "a.wav")),
        ("file URL", f"file://{folder}/a.wav"),
        ("file URL, quoted", f"file://localhost{folder}/a%20b%25.wav"),
        ("path with ..", f"../{folder.name}/./a.wav"),
        ("record of a path", {"path": "a.wav"}),
        ("record of a path, no bytes", {"bytes": None, "path": "a.wav"}),
        ("record of an address", {"src": "a.wav", "type": "audio/wav"}),
        ("list of one path", ["a.wav"]),
        ("list of one record", [{"src": "a.wav"}]),
        ("floats", {"array": floats, **rate}),
        ("floats at 8 kHz", {"array": floats, "sampling_rate": 8_000}),
        ("rate as text", {"array": floats, "sampling_rate": "16000"}),
        ("rate as a float", {"array": floats, "sampling_rate": 16000.0}),
        ("integers of 16 bits", {"array": PCM.tolist(), **rate}),
        ("integers of 32 bits", {"array": (PCM * 65_536).tolist(), **rate}),
        ("whole floats", {"array": PCM.astype(float).tolist(), **rate}),
        ("integers and floats", {"array": [0, 0.5, 1, -0.25], **rate}),
        ("two channels", {"array": [floats, floats], **rate}),
        ("pairs", {"array": [[x, x] for x in floats], **rate}),
        ("NaN among samples", {"array": [0.5, float("nan"), -0.5], **rate}),
        ("infinity among samples", {"array": [0.5, float("inf"), -0.5], **rate}),
        ("empty file", "empty.wav"),  # the file is there; decoding will tell
    ]
    silent = [
        ("None", None), ("zero", 0), ("seven", 7), ("negative", -1), ("huge", 10**30),
        ("float", 0.5), ("NaN", float("nan")), ("infinity", float("inf")),
        ("True", True), ("False", False), ("empty text", ""), ("blank text", " \t"),
        ("empty list", []), ("empty record", {}), ("list of None", [None]),
        ("list of lists", [[], []]), ("deep list", deep), ("list of records", [{}, {}]),
        ("list of texts", ["a", "b"]), ("list of bools", [True, False]),
        ("list of one number", [7]), ("samples without a rate", floats),
        ("unknown fields", {"x": 1}), ("nothing in the record", {"bytes": None, "path": None}),
        ("path is a number", {"path": 7}), ("path is a list", {"path": ["a.wav"]}),
        ("path is a record", {"path": {"path": "a.wav"}}), ("path is True", {"path": True}),
        ("bytes is a number", {"bytes": 7}), ("bytes is a huge number", {"bytes": 10**13}),
        ("bytes is True", {"bytes": True}), ("bytes is a record", {"bytes": {"0": 82}}),
        ("bytes are no bytes", {"bytes": [300, -1]}), ("bytes are texts", {"bytes": ["R", "I"]}),
        ("bytes are bools", {"bytes": [True, False]}),
        ("empty bytes", {"bytes": "", "path": "a.wav"}),
        ("damaged base64", {"bytes": "!!!"}), ("damaged data URL", "data:;base64,!!!"),
        ("array is a number", {"array": 7, **rate}), ("array is text", {"array": "0.5", **rate}),
        ("array of texts", {"array": ["0.5", "1"], **rate}),
        ("array of None", {"array": [None], **rate}),
        ("array with a hole", {"array": [0.5, None], **rate}),
        ("ragged", {"array": [[1, 2], [3]], **rate}),
        ("array of records", {"array": [{}], **rate}),
        ("array of bools", {"array": [True], **rate}),
        ("empty array", {"array": [], **rate}), ("empty channels", {"array": [[], []], **rate}),
        ("three axes", {"array": [[[0.5]]], **rate}),
        ("beyond 32 bits", {"array": [2**40, 0], **rate}),
        ("beyond 64 bits", {"array": [2**70, 0], **rate}),
        ("array is a record", {"array": {"a": 1}, **rate}),
        ("many channels", {"array": [[0.1] * 40] * 40, **rate}),
        *((f"rate {bad!r}"[:30], {"array": floats, "sampling_rate": bad})
          for bad in (None, 0, -8_000, "fast", "", True, float("nan"), 1e30, [16_000], {})),
        ("folder", "folder.wav"), ("pipe", "pipe.wav"), ("device", "zero.wav"),
        ("socket", "socket.wav"), ("dangling link", "dangling.wav"), ("loop of links", "loop.wav"),
        ("no such file", "none.wav"), ("this folder", "."), ("root", "/"),
        ("null device", "/dev/null"),
        ("below a file", "a.wav/b.wav"), ("long name", "x" * 300 + ".wav"),
        ("long path", "x/" * 3_000 + "a.wav"), ("long text", "no path " * 5_000),
        ("NUL", "a\x00.wav"), ("lone surrogate", "a\ud800.wav"), ("no UTF-8", "caf\udce9.wav"),
        ("unknown user", "~nobody-by-this-name/a.wav"), ("line end", "a.wav\n"),
        ("file URL without a file", "file://"),
        ("sentence", "a sentence, not a path"), ("JSON", '{"path": "a.wav"}'), ("null", "null"),
    ]  # fmt: skip
    return [*(OddCell(*cell, heard=True) for cell in heard), *(OddCell(*cell) for cell in silent)]


def text_cells(folder: Path) -> list[OddCell]:
    """Those that are text, as CSV holds them."""
    return [
        cell for cell in json_cells(folder)
        if isinstance(cell.value, str) and _fits_csv(cell.value)
    ]  # fmt: skip


def _fits_csv(text: str) -> bool:
    return not any(0xD800 <= ord(char) < 0xE000 for char in text) and "\x00" not in text


def array_cells() -> list[OddCell]:
    """Samples of every type that a column of Parquet can have."""
    dtypes = ["int8", "int16", "int32", "int64", "uint8", "float16", "float32", "float64"]
    wave = np.sin(np.arange(1600) / 10)
    cells = []
    for dtype in dtypes:
        kind = np.dtype(dtype)
        scale = {"int8": 127, "int32": 2**31 - 256, "uint8": 127}.get(dtype, 32_767)
        shift = 128 if dtype == "uint8" else 0
        samples = wave if kind.kind == "f" else wave * scale + shift
        cells.append(OddCell(dtype, samples.astype(kind), heard=True))
    return cells
