"""The decoder in machine code beside the same decoder as a graph, in float32 on OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.bench.random_checkpoint import write_checkpoint
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import Weights
from quest22.decoding.logprobs import Logits
from quest22.engine.cpu_backend import DecoderNetwork, DecoderSession, RowSession
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.native import decoder_network as decoder
from quest22.engine.native.decoder_network import Formats, NativeDecoderNetwork
from quest22.engine.openvino.alignment_graph import build_alignment
from quest22.engine.openvino.compiler import Compiler
from quest22.engine.openvino.decoder import GraphDecoderNetwork, build_decoder, tensors
from quest22.errors import EngineError
from tests.engine.native.conftest import SETS, SHAPES, Model, opened
from tests.support.logit_errors import LOGIT_ERROR_LIMIT

FORMATS = {
    "float32": Formats("f32"),
    "bfloat16": Formats("bf16"),
    "int8_weights_float32": Formats("f32", int8_weights=True),
    "int8_weights_bfloat16": Formats("bf16", int8_weights=True),
    "int8_kv_float32": Formats("f32", int8_kv=True),
    "int8_kv_bfloat16": Formats("bf16", int8_kv=True),
    "int16": Formats("f32", int8_kv=True, int16_weights=True),
    "int8_float32": Formats("f32", int8_weights=True, int8_kv=True),
    "int8_bfloat16": Formats("bf16", int8_weights=True, int8_kv=True),
}
ELEMENTS = [
    (name, element)
    for name in SETS
    for element in ("f32", "bf16")
    if element == "f32" or name.endswith("bf16")
]
CASES = [
    (name, compute_type)
    for compute_type, formats in FORMATS.items()
    for name in SETS
    if (name, formats.rows) in ELEMENTS
]
WINDOWS, WIDTH = 3, 5

pytestmark = pytest.mark.skipif(not SETS, reason="no native library: it needs a C compiler")

Open = Callable[..., NativeDecoderNetwork]


@pytest.fixture
def open_native(model: Model, monkeypatch: pytest.MonkeyPatch) -> Open:
    def open_network(name: str, formats: Formats, threads: int = 2) -> NativeDecoderNetwork:
        monkeypatch.setattr(decoder, "open_library", lambda: opened(name))
        network = NativeDecoderNetwork.open(*model, formats, threads)
        assert network is not None
        return network

    return open_network


@pytest.fixture(scope="module")
def expected(model: Model) -> list[Logits]:
    compiler = Compiler.open("cpu", "float32", None)
    graph = GraphDecoderNetwork(compiler.compile(build_decoder(*model, "f32")), "f32")
    return list(walk(graph, states(model[1], "f32"), WINDOWS, WIDTH))


def states(dims: Dimensions, element: str, windows: int = WINDOWS) -> CrossKVCache:
    """The sound of random windows."""
    made, rng = CrossKVCache(dims, windows, element), np.random.default_rng(0)
    for view in made.views(slice(0, windows)).values():
        numbers = rng.standard_normal((WINDOWS, *view.shape[1:])).astype(np.float32)[:windows]
        view[...] = numbers if element == "f32" else numbers.view(np.uint32) >> 16
    return made


def heard(network: NativeDecoderNetwork, dims: Dimensions, element: str) -> CrossKVCache:
    """The same as the network keeps it."""
    given = states(dims, element)
    if network.kv_element == element:
        return given
    kept = CrossKVCache(dims, WINDOWS, network.kv_element)
    network.quantize(given, kept, range(WINDOWS))
    return kept


def walk(
    network: DecoderNetwork, sound: CrossKVCache, windows: int, width: int
) -> Iterator[Logits]:
    """Logits of some steps: a prompt, single tokens, beams that change, windows that leave."""
    rng, session = np.random.default_rng(1), DecoderSession(network, sound)
    session.restart(range(windows), width)
    for count, stay in ((5, windows), (1, windows), (1, windows), (3, windows - 1), (1, windows)):
        tokens = rng.integers(0, 50_000, (windows * width, count)).astype(np.int32)
        yield session.step(tokens, [0, count - 1][: min(count, 2)]).copy()
        windows = min(stay, windows)
        continued = rng.integers(0, width, (windows, width))
        continued[0] = np.arange(width)[::-1]
        session.reorder_cache(
            [place * width + row for place, rows in enumerate(continued) for row in rows]
        )


@pytest.mark.parametrize(("name", "compute_type"), CASES)
def test_it_gives_the_logits_of_the_graph(
    open_native: Open,
    model: Model,
    expected: list[Logits],
    name: str,
    compute_type: str,
) -> None:
    formats = FORMATS[compute_type]
    network = open_native(name, formats)
    found = list(walk(network, heard(network, model[1], formats.rows), WINDOWS, WIDTH))
    for right, logits in zip(expected, found, strict=True):
        error = np.sqrt(np.mean((logits - right) ** 2)) / right.std()
        assert error < (1e-5 if compute_type == "float32" else LOGIT_ERROR_LIMIT[compute_type])


@pytest.mark.parametrize(("name", "compute_type"), CASES)
def test_nothing_depends_on_neighbours_or_threads(
    open_native: Open, model: Model, name: str, compute_type: str
) -> None:
    """To the last bit: so a run that was cut continues with the same results."""
    formats = FORMATS[compute_type]
    network = open_native(name, formats, threads=3)
    sound = heard(network, model[1], formats.rows)
    network.begin(sound, [0], 20)
    tokens = np.arange(40, dtype=np.int32).reshape(20, 2)
    beams = np.arange(20, dtype=np.int32)
    together = network.step(tokens, 0, beams, [1]).copy()
    single = open_native(name, formats, threads=1)
    single.begin(sound, [0], 1)
    for row, asked in enumerate(tokens):
        alone = single.step(asked[None], 0, beams[:1], [1])
        assert np.array_equal(alone[0], together[row])


@pytest.mark.parametrize("name", SETS)
def test_weights_that_float16_holds_are_kept_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Which no bit of the logits shows."""
    folder = write_checkpoint(tmp_path, SHAPES["heads of 24"], dtype="F16")
    monkeypatch.setattr(decoder, "open_library", lambda: opened(name))
    model, found = (Weights.open(folder), Dimensions.read(folder)), []
    for compact in (opened(name).quest22_decoder_compact, lambda _handle: 0):
        monkeypatch.setattr(opened(name), "quest22_decoder_compact", compact)
        network = NativeDecoderNetwork.open(*model, Formats("f32"), 2)
        assert network is not None
        found.append(list(walk(network, states(model[1], "f32"), WINDOWS, WIDTH)))
    assert all(np.array_equal(*logits) for logits in zip(*found, strict=True))


@pytest.mark.parametrize(("name", "compute_type"), CASES)
def test_windows_of_fewer_frames(
    open_native: Open, model: Model, name: str, compute_type: str
) -> None:
    """Each is as in a graph of so many frames, and to the last bit as alone."""
    weights, dims = model
    formats, lengths = FORMATS[compute_type], (1500, 640, 77)
    network, compiler = open_native(name, formats), Compiler.open("cpu", "float32", None)
    tokens, beams = np.array([[7, 400, 9, 60]] * 3, np.int32), np.arange(3, dtype=np.int32)
    given, rng = CrossKVCache(dims, 3, formats.rows), np.random.default_rng(3)
    for row, count in enumerate(lengths):
        for view in given.open_row(row, count).values():
            _put(view, rng)
    sound = given
    if network.kv_element == "i8":
        sound = CrossKVCache(dims, 3, "i8")
        network.quantize(given, sound, range(3))
    network.begin(sound, range(3), 1)
    together = network.step(tokens, 0, beams, [3]).copy()
    for row, count in enumerate(lengths):
        network.begin(sound, [row], 1)
        assert np.array_equal(network.step(tokens[:1], 0, beams[:1], [3])[0], together[row])
        short = replace(dims, max_source_positions=count)
        expected = CrossKVCache(short, 1, "f32")
        for part, values in given.row_views(row).items():
            expected.views(slice(0, 1))[part][...] = _floats(values)
        graph = GraphDecoderNetwork(compiler.compile(build_decoder(weights, short, "f32")), "f32")
        graph.begin(expected, [0], 1)
        right = graph.step(tokens[:1], 0, beams[:1], [3])[0]
        error = np.sqrt(np.mean((together[row] - right) ** 2)) / right.std()
        assert error < (1e-5 if compute_type == "float32" else LOGIT_ERROR_LIMIT[compute_type])


def _put(view: np.ndarray, rng: np.random.Generator) -> None:
    """Random numbers in float32, or as bfloat16's bits."""
    numbers = rng.standard_normal(view.shape).astype(np.float32)
    view[...] = numbers if view.dtype == np.float32 else numbers.view(np.uint32) >> 16


def _floats(view: np.ndarray) -> np.ndarray:
    """In float32, from float32 or bfloat16's bits."""
    return view if view.dtype == np.float32 else (view.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize(("name", "element"), ELEMENTS)
def test_a_sequence_may_move(open_native: Open, model: Model, name: str, element: str) -> None:
    """The last bit does not tell that others have left and it stands in another row."""
    found = []
    for moves in (False, True):
        session = DecoderSession(open_native(name, Formats(element)), states(model[1], element))
        session.restart([0, 1], 2)
        for step in range(6):
            rows = 4 if step < 3 or not moves else 2
            logits = session.step(np.full((rows, 1), step, np.int32), [0])[-1].copy()
            if moves and step == 2:
                session.reorder_cache([2, 3])
        found.append(logits)
    assert np.array_equal(*found)


@pytest.mark.parametrize(("name", "compute_type"), CASES)
def test_the_scores_of_alignment_heads(
    open_native: Open, model: Model, name: str, compute_type: str
) -> None:
    """Of all positions, those of a graph that is fed all at once, whatever was fed in vain."""
    (weights, dims), formats = model, FORMATS[compute_type]
    heads = tuple((0, head) for head in range(dims.decoder_heads))[::-1]
    network, tokens = open_native(name, formats), np.array([[7, 400, 9, 60, 8]], np.int32)
    session = DecoderSession(network, heard(network, dims, formats.rows), keep=[1], heads=heads)
    session.restart([1])
    session.step(np.array([[7, 400, 1, 2]], np.int32), [3])
    session.rewind(2)
    session.step(tokens[:, 2:], [2])
    graph = Compiler.open("cpu", "float32", None).compile(
        build_alignment(weights, dims, heads, (1, 9), "f32")
    )
    sound = tensors(states(dims, "f32").views(slice(1, 2)))
    right = graph({"tokens": tokens, **sound})["scores"][0]
    error = np.sqrt(np.mean((session.kept[1][:, :5] - right) ** 2)) / right.std()
    assert error < (1e-5 if compute_type == "float32" else LOGIT_ERROR_LIMIT[compute_type])
    session.restart([0, 1])
    assert set(session.kept) == {1}


def test_a_batch_may_be_larger_than_the_last(open_native: Open, model: Model) -> None:
    network, sound = open_native(SETS[0], Formats("f32")), states(model[1], "f32")
    first = next(walk(network, sound, 1, 1))
    list(walk(network, sound, WINDOWS, WIDTH))
    assert np.array_equal(next(walk(network, sound, 1, 1)), first)


def test_a_format_that_it_lacks_is_left_to_the_graph(model: Model) -> None:
    assert NativeDecoderNetwork.open(*model, Formats("f16"), 1) is None


@pytest.mark.parametrize("name", SETS)
@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.floats(-60, 60, width=32) | st.just(-np.inf), min_size=1, max_size=70),
    st.integers(0, 99),
)
def test_the_likeliest_is_that_of_a_softmax(name: str, values: list[float], place: int) -> None:
    logits, token = np.array(values, np.float32), np.zeros(1, np.int32)
    logprob = np.zeros(1, np.float32)
    logits[place % len(logits)] = 7.0
    arrays = (logits.ctypes.data, 1, 0, len(logits), token.ctypes.data, logprob.ctypes.data)
    opened(name).quest22_argmax(*arrays)
    shares = np.exp(logits.astype(np.float64) - logits.max())
    assert token[0] == logits.argmax()
    assert logprob[0] == pytest.approx(-np.log(shares.sum()), abs=1e-6)


@pytest.mark.parametrize(("name", "compute_type"), CASES)
def test_rows_at_positions_of_their_own(
    name: str, compute_type: str, open_native: Open, model: Model
) -> None:
    """To the last bit as alone, token by token; also after wrong guesses, and as rows leave."""
    formats = FORMATS[compute_type]
    network = open_native(name, formats)
    sound = heard(network, model[1], formats.rows)
    text = np.random.default_rng(2).integers(0, 50_000, (WINDOWS, 20)).astype(np.int32)
    expected = [list(token_by_token(network, sound, row, text[row])) for row in range(WINDOWS)]
    session = RowSession(network, sound)
    session.restart(range(WINDOWS))
    rows, known = list(range(WINDOWS)), np.array([2, 5, 3], np.int32)
    first = text[:, :5].copy()
    first[0, 2:], first[2, 3:] = 7, 8  # beyond the prompts' ends
    logits = session.step(first, np.zeros(WINDOWS, np.int32), known[:, None] - 1)
    for row in rows:
        assert np.array_equal(logits[row, 0], expected[row][known[row] - 1])
    wanted = np.tile(np.arange(3, dtype=np.int32), (WINDOWS, 1))
    for leaves, right in ((None, (1, 3, 2)), (1, (3, 2)), (None, (2, 1)), (0, (3,))):
        if leaves is not None:  # the last row takes its place
            rows[leaves], known[leaves] = rows[-1], known[-1]
            order = [*range(len(rows) - 1)]
            if leaves < len(order):
                order[leaves] = len(rows) - 1
            rows, known = rows[:-1], known[:-1]
            session.keep(order)
        fed = np.stack([text[row, at : at + 3] for row, at in zip(rows, known, strict=True)])
        for place, count in enumerate(right):
            fed[place, count:] += 1  # wrong guesses
        logits = session.step(fed, known, wanted[: len(rows)])
        for place, count in enumerate(right):
            for token in range(count):
                assert np.array_equal(
                    logits[place, token], expected[rows[place]][known[place] + token]
                )
        known = known + np.array(right, np.int32)


def token_by_token(
    network: NativeDecoderNetwork, sound: CrossKVCache, row: int, tokens: np.ndarray
) -> Iterator[Logits]:
    session = DecoderSession(network, sound)
    session.restart([row])
    for token in tokens:
        yield session.step(np.array([[token]], np.int32), [0])[0, 0].copy()


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    ("positions", "beams"),
    [
        ((5, 6, 5), (0, 1, 2)),  # a position that nothing was written to
        ((5, -1, 5), (0, 1, 2)),
        ((5, 5, 447), (0, 1, 2)),
        ((5, 5, 5), (0, 1, 3)),
        ((5, 5, 5), (1, 0, 2)),  # whose slots others read
        ((5, 0, 5), (0, 0, 2)),
    ],
)
def test_wrong_rows_are_refused(
    name: str, positions: tuple[int, ...], beams: tuple[int, ...], open_native: Open, model: Model
) -> None:
    network = open_native(name, Formats("f32"))
    session = RowSession(network, states(model[1], "f32"))
    session.restart(range(WINDOWS))
    zeros, ends = np.zeros((WINDOWS, 5), np.int32), np.zeros((WINDOWS, 1), np.int32)
    session.step(zeros, zeros[:, 0].copy(), ends)
    session._beams = np.array(beams, np.int32)
    with pytest.raises(EngineError):
        session.step(zeros[:, :2].copy(), np.array(positions, np.int32), ends)
