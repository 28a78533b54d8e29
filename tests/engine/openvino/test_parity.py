"""The same weights and sound through Transformers: tokens in float32, logits in every format."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import Checkpoint
from quest22.engine.build_cpu import open_compiler, open_decoder, open_encoder
from quest22.engine.cpu_backend import DecoderSession
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.engine import WhisperEngine
from quest22.engine.openvino.compiled_graphs import CompiledGraphs
from quest22.engine.openvino.compiler import Compiler
from quest22.records import DecodingOptions
from tests.engine.conftest import OpenCheckpoint, OpenEngine
from tests.support.logit_errors import LOGIT_ERROR_LIMIT
from tests.support.whisper_reference import WhisperReference
from tests.support.windows import sweep, windows

pytestmark = pytest.mark.reference

OpenReference = Callable[[str], WhisperReference]
NETWORKS = ("native", "graph")


@pytest.fixture(scope="session")
def reference(checkpoint: OpenCheckpoint) -> OpenReference:
    opened: dict[str, WhisperReference] = {}

    def open_reference(name: str) -> WhisperReference:
        if name not in opened:
            opened[name] = WhisperReference(checkpoint(name).folder)
        return opened[name]

    return open_reference


ENGLISH_ONLY = [
    DecodingOptions(),
    DecodingOptions(timestamps=True),
    DecodingOptions(previous=(1000, 2000, 3000)),
]
MULTILINGUAL = [
    DecodingOptions("en"),
    DecodingOptions("ru", timestamps=True),
    DecodingOptions("de", "translate"),
    DecodingOptions(None),
    DecodingOptions(None, timestamps=True),
    DecodingOptions("en", timestamps=True, previous=tuple(range(1000, 1030))),
    DecodingOptions("en", previous=(1000,)),
]


def limited(decodings: Sequence[DecodingOptions], count: int) -> list[DecodingOptions]:
    return [
        DecodingOptions(
            each.language, each.task, each.timestamps, each.previous, max_new_tokens=count
        )
        for each in decodings
    ]


def compare(
    whisper: WhisperEngine, reference: OpenReference, name: str, asked: Sequence[DecodingOptions]
) -> None:
    """Every window's tokens from one mixed batch against the reference's, one by one."""
    bins = 128 if "v3" in name else 80
    batch = windows(*asked)
    for window, found in zip(batch, whisper.run(batch), strict=True):
        expected = reference(name).tokens(LogMel(bins)(window.samples), window.decoding)
        assert found.tokens == expected, window.decoding


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("small-test", MULTILINGUAL),
        ("small-test.en", ENGLISH_ONLY),
        ("small-test-v3", MULTILINGUAL[:3]),
    ],
)
def test_tokens_of_every_vocabulary(
    engine: OpenEngine,
    reference: OpenReference,
    name: str,
    asked: list[DecodingOptions],
    network: str,
) -> None:
    compare(engine(name, network=network), reference, name, limited(asked, 20))


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_tokens_to_the_end(engine: OpenEngine, reference: OpenReference, network: str) -> None:
    whisper = engine("small-test", network=network)
    compare(whisper, reference, "small-test", [MULTILINGUAL[0], MULTILINGUAL[1]])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny", "tiny.en", "base"])
def test_tokens_of_the_true_shapes(engine: OpenEngine, reference: OpenReference, name: str) -> None:
    asked = ENGLISH_ONLY if name.endswith(".en") else MULTILINGUAL
    compare(engine(name), reference, name, limited(asked[:3], 10))


COMPUTE_TYPES = (
    "float32",
    "bfloat16",
    "float16",
    "int8_float32",
    "int8_bfloat16",
    "int8_weights_float32",
    "int8_weights_bfloat16",
    "int8_kv_float32",
    "int8_kv_bfloat16",
)
TEXT = (50258, 50259, 50359, 50363, 400, 500, 600, 700)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("compute_type", COMPUTE_TYPES)
def test_logits_are_within_the_limits(
    checkpoint: OpenCheckpoint,
    reference: OpenReference,
    compute_type: str,
    network: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QUEST22_NATIVE", "on" if network == "native" else "off")
    features = LogMel(80)(sweep(3))
    expected = reference("small-test").logits(features, TEXT)
    compiler = open_compiler("cpu", compute_type, None)
    found = logits(checkpoint("small-test"), compiler, features)
    error = np.sqrt(np.mean((found - expected) ** 2)) / expected.std()
    assert error < LOGIT_ERROR_LIMIT[compiler.precision.name]


def logits(
    found: Checkpoint, compiler: Compiler, features: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Logits after each token of ``TEXT``, fed in pieces: ``[T, vocabulary]``."""
    graphs = CompiledGraphs.of(found, compiler)  # lives as long as what it opened
    network = open_decoder(found, graphs, 2)
    states = CrossKVCache(found.dimensions, 1, network.kv_element)
    runner = open_encoder(found, graphs, network, states, 2)
    runner.begin_batch(1)
    runner.submit(0, features)
    runner.wait()
    session = DecoderSession(network, states)
    session.restart([0])
    pieces, position = [], 0
    for size in (4, 1, 2, 1):
        tokens = np.array([TEXT[position : position + size]], np.int32)
        pieces.append(session.step(tokens, range(size))[0].copy())
        position += size
    return np.concatenate(pieces)
