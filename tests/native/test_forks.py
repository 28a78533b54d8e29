"""Forked children use what their parent opened; ``forks.c`` does so while the parent is at work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quest22.native import library
from quest22.system.machine import processor_flags

SETS = library.suitable(library.FOLDER, frozenset(processor_flags()))
ROOT = Path(__file__).parents[2]
PARENT = """
import multiprocessing, os, sys
import numpy as np
from quest22.native.library import open_library
import ctypes

library, shape = open_library(), np.array([1, 8, 2, 16, 12, 6, 10], np.int32)
handle = ctypes.c_void_p()
library.quest22_decoder_open(shape.ctypes.data, 0, 0, 0, 3, ctypes.byref(handle))
numbers = np.random.default_rng(0).standard_normal(512).astype(np.float32)
kv, frames = np.full(1, numbers.ctypes.data, np.uintp), np.full(1, 12, np.int32)
for layer, (outputs, inputs) in enumerate(
    [(24, 8), (8, 8), (8, 8), (8, 8), (16, 8), (8, 16), (10, 8)]
):
    data = numbers.ctypes.data
    library.quest22_decoder_set_linear(handle, layer, 0, outputs, inputs, data, data, 1.0)


def decode(_=None):
    counts, keys = frames.ctypes.data, kv.ctypes.data
    library.quest22_decoder_begin(handle, 1, 2, counts, keys, keys, None, None)
    sizes, zeros = np.array([2, 1, 1, 0, 1], np.int32), np.zeros(2, np.int32)
    x, logits = numbers[:16].copy(), np.zeros(20, np.float32)
    arrays = (sizes, x, zeros, zeros, zeros, logits)
    library.quest22_decoder_step(handle, *(each.ctypes.data for each in arrays))
    return logits.tobytes()


expected = decode()
"""
CHILDREN = {
    "os.fork": """
child = os.fork()
if child == 0:
    os._exit(0 if decode() == expected else 1)
assert os.waitpid(child, 0)[1] == 0
""",
    "multiprocessing": """
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(decode, range(4)) == [expected] * 4
""",
    "a child that closes it": """
child = os.fork()
if child == 0:
    library.quest22_decoder_close(handle)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
}
END = """
assert decode() == expected
library.quest22_decoder_close(handle)
print("done")
"""

pytestmark = [
    pytest.mark.skipif(not SETS, reason="no native library: it needs a C compiler"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
]


@pytest.mark.parametrize("way", CHILDREN)
@pytest.mark.parametrize("name", SETS)
def test_a_child_decodes_as_its_parent(name: str, way: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PARENT + CHILDREN[way] + END],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"QUEST22_NATIVE": name},
        timeout=120,
    )
    assert (ended.stdout, ended.returncode) == ("done\n", 0), ended.stderr
