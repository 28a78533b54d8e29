"""The CPU backend over parts that only take notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.load import Checkpoint, load
from quest22.decoding.alignment import AlignmentInput, Heads, Scores
from quest22.decoding.logits_rules import LogitsRules
from quest22.decoding.prompts import Prompt
from quest22.decoding.token_decoders import DecodeRequest
from quest22.engine.backend import Features
from quest22.engine.cpu_backend import CpuBackend, CpuParts, DecoderSession, EncodedWindows
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.errors import EngineError
from quest22.records import Alignment, SearchOptions

VOCABULARY, END = 20, 15
RULES = LogitsRules(END, VOCABULARY)
DIMS = Dimensions(8, 1, 2, 4, 1, 2, 4, 80, 3, 448, VOCABULARY)
ROWS = 4


@dataclass
class Encoder:
    """Writes a window's first feature into its row."""

    cross_kv: CrossKVCache
    notes: list[object]

    def begin_batch(self, windows: int) -> None:
        self.notes.append(("begin", windows))

    def wait_for_slot(self) -> None:
        self.notes.append("slot")

    def submit(self, row: int, features: Features) -> None:
        self.notes.append(("submit", row))
        for view in self.cross_kv.views(slice(row, row + 1)).values():
            view[...] = features[0, 0]

    def wait(self) -> None:
        self.notes.append("wait")


@dataclass
class Network:
    """Whose best token is the number in a window's row, three times; then the end of text."""

    notes: list[object]
    kv_element: str = "f32"
    any_frames: bool = True
    numbers: list[int] = field(default_factory=list)
    length: int = 0

    def begin(self, cross_kv: CrossKVCache, windows: Sequence[int], num_beams: int) -> None:
        self.notes.append(("windows", list(windows), num_beams))
        held = _numbers(cross_kv, windows)
        self.numbers = [int(number) for number in held]
        self.length = 0

    def keep_scores(self, heads: Heads) -> Scores | None:
        """Later tokens attend to later frames."""
        scores = np.tile(np.eye(5, 8, dtype=np.float32), (len(heads), 1, 1))
        return 9 * scores if heads else None

    def select_windows(self, windows: Sequence[int]) -> None:
        self.notes.append(("select", list(windows)))

    def step(
        self,
        tokens: NDArray[np.int32],
        position: int,
        beams: NDArray[np.int32],
        logit_positions: list[int],
    ) -> NDArray[np.float32]:
        assert position == self.length
        self.length += tokens.shape[1]
        self.numbers = [self.numbers[beam] for beam in beams]
        logits = np.zeros((len(tokens), len(logit_positions), VOCABULARY), np.float32)
        for row, number in enumerate(self.numbers):
            logits[row, :, number if self.length <= 4 else END] = 9.0
        return logits


@dataclass
class Aligner:
    """Gives the number in a row as the time of its text."""

    heads: Heads = ()

    def align(self, inputs: Sequence[AlignmentInput], cross_kv: CrossKVCache) -> list[Alignment]:
        held = _numbers(cross_kv, [each.window for each in inputs])
        return [Alignment((number,), ()) for number in held]


def _numbers(cross_kv: CrossKVCache, windows: Sequence[int]) -> list[float]:
    rows = cross_kv.bring_together(windows)
    return [float(number) for number in cross_kv.views(rows)["cross_key_0"][:, 0, 0, 0]]


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


def backend(nano: Checkpoint, notes: list[object], heads: Heads = ()) -> CpuBackend:
    cache = CrossKVCache(DIMS, ROWS, "f32")
    parts = CpuParts(
        Encoder(cache, notes),
        Network(notes),
        Aligner(heads),
        cache,
        lambda: notes.append("release"),
    )
    return CpuBackend("toy", "float32", replace(nano.tokens, no_speech=16), parts)


def encoded(cpu: CpuBackend, *numbers: int) -> EncodedWindows:
    made = [np.full((80, 3000), number, np.float32) for number in numbers]
    return cpu.encode([lambda features=features: features for features in made])


def request(beams: int = 1, greedy_logprob: float | None = None) -> DecodeRequest:
    search = SearchOptions(beam_size=beams, greedy_logprob=greedy_logprob)
    return DecodeRequest(Prompt((1, 2), 0, 9), RULES, search)


def test_a_slot_is_awaited_before_the_features_are_computed(nano: Checkpoint) -> None:
    notes: list[object] = []

    def compute() -> Features:
        notes.append("features")
        return np.zeros((80, 3000), np.float32)

    backend(nano, notes).encode([compute, compute])
    window = ["slot", "features", ("submit", 0), "slot", "features", ("submit", 1)]
    assert notes == [("begin", 2), *window, "wait"]


def test_requests_of_equal_width_are_decoded_together(nano: Checkpoint) -> None:
    notes: list[object] = []
    cpu = backend(nano, notes)
    batch = encoded(cpu, 5, 6, 7)
    notes.clear()
    found = cpu.decode(batch, [request(), request(2), request()])
    assert [each.tokens for each in found] == [(5,) * 3, (6,) * 3, (7,) * 3]
    begun = [note for note in notes if note[0] == "windows"]
    assert begun == [("windows", [0, 2], 1), ("windows", [1], 2)]
    assert notes[-1] == "release"


def test_a_window_is_decoded_twice_and_aligned_on_one_encoding(nano: Checkpoint) -> None:
    notes: list[object] = []
    cpu = backend(nano, notes)
    batch = encoded(cpu, 5, 6, 7, 8)
    notes.clear()
    doubted, sure = 0.0, -9.0
    found = cpu.decode(batch, [request(2, doubted), request(2), request(2, sure), request()])
    assert [each.tokens[0] for each in found] == [5, 6, 7, 8]
    begun = [note for note in notes if note[0] == "windows"]
    assert begun == [("windows", [0, 2, 3], 1), ("windows", [0, 1], 2)]
    inputs = [AlignmentInput(window, (1,), (2,), 3) for window in (0, 1, 3)]
    assert [each.bounds_s for each in cpu.align(batch, inputs)] == [(5.0,), (6.0,), (8.0,)]


def test_kept_attention_is_aligned_without_a_further_pass(nano: Checkpoint) -> None:
    cpu = backend(nano, [], heads=((0, 0), (0, 1)))
    batch = encoded(cpu, 5, 6, 7)
    keep = replace(request(), keep_attention=True)
    found = cpu.decode(batch, [keep, request(), keep])
    assert [each.tokens for each in found] == [(5,) * 3, (6,) * 3, (7,) * 3]
    inputs = [AlignmentInput(0, (1, 2), (5,) * 3, 8), AlignmentInput(1, (1, 2), (6,) * 3, 8)]
    other = AlignmentInput(2, (1, 2), (5,) * 3, 8)
    first, *others = cpu.align(batch, [*inputs, other])
    assert len(first.bounds_s) == 4
    assert first.probabilities == pytest.approx(np.exp(found[0].logprobs[:3]))
    assert [each.bounds_s for each in others] == [(6.0,), (7.0,)]


def test_what_a_network_does_not_keep_is_aligned_in_a_pass(nano: Checkpoint) -> None:
    cpu = backend(nano, [])
    batch = encoded(cpu, 5)
    cpu.decode(batch, [replace(request(), keep_attention=True)])
    (found,) = cpu.align(batch, [AlignmentInput(0, (1, 2), (5,) * 3, 8)])
    assert found.bounds_s == (5.0,)


def test_logits_of_languages(nano: Checkpoint) -> None:
    cpu = backend(nano, [])
    batch = encoded(cpu, 5, 6)
    assert cpu.language_logits(batch, [6, 5, 3]).tolist() == [[0, 9, 0], [9, 0, 0]]


def test_a_session_tells_windows_from_beams() -> None:
    notes: list[object] = []
    session = DecoderSession(Network(notes), CrossKVCache(DIMS, ROWS, "f32"))
    session.restart([3, 1, 2], 2)
    session.reorder_cache([5, 4, 2, 2])
    session.reorder_cache([])
    assert notes == [("windows", [3, 1, 2], 2), ("select", [2, 1])]


def test_a_closed_backend_says_so(nano: Checkpoint) -> None:
    cpu = backend(nano, [])
    cpu.close()
    cpu.close()
    with pytest.raises(EngineError, match="the engine is closed: open another one"):
        encoded(cpu, 5)
