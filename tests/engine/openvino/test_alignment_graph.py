from __future__ import annotations

from dataclasses import replace

from quest22.decoding.alignment import alignment_heads
from quest22.engine.openvino.alignment_graph import build_alignment
from tests.engine.conftest import OpenCheckpoint


def test_named_heads_are_taken(checkpoint: OpenCheckpoint) -> None:
    opened = checkpoint("small-test")
    generation = replace(opened.generation, alignment_heads=((0, 1), (1, 0)))
    assert alignment_heads(opened.dimensions, generation) == ((0, 1), (1, 0))


def test_without_names_all_heads_of_the_later_layers(checkpoint: OpenCheckpoint) -> None:
    opened = checkpoint("small-test")
    dims = opened.dimensions
    heads = alignment_heads(dims, replace(opened.generation, alignment_heads=()))
    assert {layer for layer, _ in heads} == set(
        range(dims.decoder_layers // 2, dims.decoder_layers)
    )
    assert {head for _, head in heads} == set(range(dims.decoder_heads))


def test_the_graph_takes_the_cache_of_the_decoder(checkpoint: OpenCheckpoint) -> None:
    opened = checkpoint("small-test")
    dims = opened.dimensions
    graph = build_alignment(opened.weights, dims, ((0, 0), (0, 1)), (0, 10), "f32")
    names = {each.any_name for each in graph.inputs}
    assert {name for name in names if name.startswith("cross_")} <= {
        f"cross_{part}_{layer}" for part in ("key", "value") for layer in range(dims.decoder_layers)
    }
    assert "cross_key_0" in names
