"""Wrong numbers through ctypes are refused with an error; more of them in ``wrong_arguments.c``."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.errors import EngineError
from quest22.native import library
from quest22.system.machine import processor_flags

SETS = library.suitable(library.FOLDER, frozenset(processor_flags()))
NO_CODE, WRONG = "has no code for this size or format", "was given a wrong argument"
HUGE = 2**62
SHAPE = (1, 8, 2, 16, 12, 6, 10)
"""Layers, width, heads, feed-forward, frames, positions, vocabulary."""
WINDOWS, SEQUENCES = 2, 4
NUMBERS = np.zeros(4096, np.float32)
DATA = NUMBERS.ctypes.data
FRAMES = np.array([12, 5], np.int32)
COUNTS = FRAMES.ctypes.data

pytestmark = pytest.mark.skipif(not SETS, reason="no native library: it needs a C compiler")


@pytest.fixture(scope="module", params=SETS)
def native(request: pytest.FixtureRequest) -> ctypes.CDLL:
    found = library.best_library(library.FOLDER, library.NEEDED_FLAGS[request.param])
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def decoder(native: ctypes.CDLL) -> Iterator[int]:
    handle = _open(native, SHAPE)
    yield handle
    native.quest22_decoder_close(handle)


def _open(native: ctypes.CDLL, shape: tuple[int, ...], *numbers: int) -> int:
    """A decoder; ``numbers``: elements of rows, weights and keys and values, and threads."""
    handle = ctypes.c_void_p()
    arguments = numbers or (0, 0, 0, 1)
    sizes = np.array(shape, np.int32)
    native.quest22_decoder_open(sizes.ctypes.data, *arguments, ctypes.byref(handle))
    assert handle.value is not None
    return handle.value


@pytest.mark.parametrize("member", range(len(SHAPE)))
@pytest.mark.parametrize(
    ("size", "refusal"), [(0, WRONG), (-1, WRONG), (-(2**31), WRONG), (2**31 - 1, NO_CODE)]
)
def test_shapes(native: ctypes.CDLL, member: int, size: int, refusal: str) -> None:
    shape = (*SHAPE[:member], size, *SHAPE[member + 1 :])
    assert not native.quest22_decoder_supports(np.array(shape, np.int32).ctypes.data, 0)
    with pytest.raises(EngineError, match=f"{refusal}.*: quest22_decoder_open$"):
        _open(native, shape)


@pytest.mark.parametrize(
    ("numbers", "refusal"),
    [
        ((9, 0, 0, 1), WRONG),
        ((-1, 0, 0, 1), WRONG),
        ((0, 0, 2**32, 1), WRONG),
        ((2, 2, 2, 1), NO_CODE),
        ((0, 1, 0, 1), NO_CODE),
        ((0, 0, 0, 0), WRONG),
        ((0, 0, 0, -1), WRONG),
        ((0, 0, 0, HUGE), NO_CODE),
    ],
)
def test_formats_and_threads(native: ctypes.CDLL, numbers: tuple[int, ...], refusal: str) -> None:
    with pytest.raises(EngineError, match=refusal):
        _open(native, SHAPE, *numbers)


CALLS = [
    ("decoder_set_linear", (7, 0, 1, 8, DATA, DATA, 1.0), WRONG),
    ("decoder_set_linear", (-1, 0, 1, 8, DATA, DATA, 1.0), WRONG),
    ("decoder_set_linear", (0, 24, 1, 8, DATA, DATA, 1.0), WRONG),
    ("decoder_set_linear", (0, 0, HUGE, 8, DATA, DATA, 1.0), WRONG),
    ("decoder_set_linear", (0, 0, 1, 7, DATA, DATA, 1.0), WRONG),
    ("decoder_set_linear", (0, 0, 1, 8, None, DATA, 1.0), WRONG),
    ("decoder_set_norm", (4, 8, DATA, DATA), WRONG),
    ("decoder_set_norm", (0, 9, DATA, DATA), WRONG),
    ("decoder_begin", (0, 1, COUNTS, DATA, DATA, None, None), WRONG),
    ("decoder_begin", (1, 0, COUNTS, DATA, DATA, None, None), WRONG),
    ("decoder_begin", (1, 1, COUNTS, None, DATA, None, None), WRONG),
    ("decoder_begin", (HUGE, 1, COUNTS, DATA, DATA, None, None), NO_CODE),
    ("decoder_begin", (1, 1, DATA, DATA, DATA, None, None), WRONG),  # no frames
    ("decoder_begin", (1, 1, None, DATA, DATA, None, None), WRONG),
    ("decoder_step", (None,) * 6, WRONG),
    ("decoder_keep_scores", (1, COUNTS, DATA), WRONG),  # before a batch of one sequence
    ("quantize_kv", (-1, COUNTS, DATA), WRONG),
    ("quantize_kv", (1, COUNTS, DATA), WRONG),  # addresses that are NULL
    ("quantize_kv", (HUGE, COUNTS, DATA), NO_CODE),
]


@pytest.mark.parametrize(("name", "arguments", "refusal"), CALLS)
def test_calls(
    native: ctypes.CDLL, decoder: int, name: str, arguments: tuple[object, ...], refusal: str
) -> None:
    function = getattr(native, f"quest22_{name}")
    with pytest.raises(EngineError, match=f"{refusal}.*: quest22_{name}$"):
        function(decoder, *arguments)
    with pytest.raises(EngineError, match=f"{WRONG}: quest22_{name}$"):
        function(None, *arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "refusal"),
    [
        ("argmax", (DATA, -1, 4, 4, DATA, DATA), WRONG),
        ("argmax", (DATA, 1, 4, 0, DATA, DATA), WRONG),
        ("argmax", (DATA, 2, 3, 4, DATA, DATA), WRONG),
        ("argmax", (None, 1, 4, 4, DATA, DATA), WRONG),
        ("argmax", (DATA, 1, 4, HUGE, DATA, DATA), NO_CODE),
        ("first_frames", (DATA, 0, 4, DATA), WRONG),
        ("first_frames", (DATA, HUGE, 4, DATA), NO_CODE),
        ("log_mel", (None, 1, DATA, 1, 1, DATA, 1), WRONG),
        ("log_mel", (DATA, 1, DATA, 1, 1, DATA, 1), WRONG),  # tables that are NULL
    ],
)
def test_functions(
    native: ctypes.CDLL, name: str, arguments: tuple[object, ...], refusal: str
) -> None:
    with pytest.raises(EngineError, match=f"{refusal}.*: quest22_{name}$"):
        getattr(native, f"quest22_{name}")(*arguments)


SIZE = st.integers(-2, 6) | st.sampled_from([2**31 - 1, -(2**31)])


@settings(deadline=None, max_examples=200)
@given(st.lists(SIZE, min_size=5, max_size=5), st.lists(SIZE, min_size=3, max_size=3))
def test_steps_of_any_size_end(
    native: ctypes.CDLL, decoder: int, sizes: list[int], indices: list[int]
) -> None:
    """Refused, or done: what is accepted stays within arrays that are long enough for it."""
    kv = np.full(1, DATA, np.uintp)
    native.quest22_decoder_begin(
        decoder, WINDOWS, SEQUENCES, COUNTS, kv.ctypes.data, kv.ctypes.data, None, None
    )
    beams, windows, positions = (np.full(16, index, np.int32) for index in indices)
    x, results = np.zeros((2, 512), np.float32)
    arrays = (np.array(sizes, np.int32), x, beams, windows, positions, results)
    sequences, tokens, count, position, logits = sizes
    right = (
        1 <= sequences <= SEQUENCES
        and 1 <= tokens <= 6
        and count >= 1
        and sequences % count == 0
        and position == 0  # nothing is written to later ones yet
        and 0 <= logits <= tokens
        and 0 <= indices[1] < WINDOWS
        and (0 <= indices[2] < tokens or logits == 0)
    )
    try:
        native.quest22_decoder_step(decoder, *(each.ctypes.data for each in arrays))
    except EngineError:
        assert not right
    else:
        assert right
