from __future__ import annotations

import inspect

import pytest

from benchmarks.accuracy.systems import BASELINE, DEFAULT, ON_TORCH, SYSTEMS, System, chosen
from quest22.errors import UsageError
from quest22.options import Options


def test_every_system_has_a_name_and_a_label_of_its_own() -> None:
    assert len({each.name for each in SYSTEMS}) == len(SYSTEMS)
    assert len({each.label for each in SYSTEMS}) == len(SYSTEMS)
    assert {DEFAULT, BASELINE} <= {each.name for each in SYSTEMS}


@pytest.mark.parametrize(
    "system", [each for each in (*SYSTEMS, *ON_TORCH) if each.is_ours], ids=lambda each: each.name
)
def test_the_products_rows_use_its_own_options(system: System) -> None:
    assert set(system.options) <= set(Options.__annotations__)


@pytest.mark.reference
@pytest.mark.parametrize(
    "system",
    [each for each in SYSTEMS if each.program == "faster-whisper"],
    ids=lambda each: each.name,
)
def test_rows_of_faster_whisper_use_its_own_options(system: System) -> None:
    peer = pytest.importorskip("faster_whisper")
    program = peer.BatchedInferencePipeline if system.batched else peer.WhisperModel
    assert set(system.options) <= set(inspect.signature(program.transcribe).parameters)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["fast"], ["fast"]),
        (["chunked*", "best"], ["best", "chunked", "chunked-5-beams"]),
        (["faster-whisper-batched*int8"],
         ["faster-whisper-batched-int8", "faster-whisper-batched-1-beam-int8"]),
        (["torch-b*"], ["torch-bfloat16"]),
    ],
)  # fmt: skip
def test_systems_are_chosen_by_patterns(patterns: list[str], names: list[str]) -> None:
    assert [each.name for each in chosen(patterns)] == names


def test_all_systems_are_chosen_without_a_pattern() -> None:
    assert chosen([]) == list(SYSTEMS)


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="--systems slow: expected some of fast, balanced"):
        chosen(["fast", "slow"])
