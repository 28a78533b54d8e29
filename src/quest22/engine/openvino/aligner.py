"""Alignment with a graph: the decoder runs once more over a known text, in a single pass.

The graph is compiled when words are first requested, so that decoding alone does not pay for it.
Knows tokens and cross-attention keys and values, but no clips, words or search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from quest22.checkpoint.load import Checkpoint
from quest22.decoding.alignment import AlignmentInput, align, alignment_heads, path_cost
from quest22.decoding.dtw import Grid
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.openvino.alignment_graph import build_alignment
from quest22.engine.openvino.compiled_graphs import CompiledGraphs
from quest22.engine.openvino.decoder import tensors
from quest22.records import Alignment
from quest22.system.forks import kept_in_children

MAX_TOKENS = 320
"""Tokens per call, over all rows: a token's scores over the vocabulary take 200 kB."""


class GraphAligner:
    """An :class:`quest22.engine.cpu_backend.Aligner` of the graph of ``build_alignment``."""

    def __init__(self, checkpoint: Checkpoint, graphs: CompiledGraphs, kv_element: str) -> None:
        """For keys and values of this element type.

        Raises :class:`CheckpointError` for alignment heads that the model does not have.
        """
        self._checkpoint = checkpoint
        self._graphs = graphs
        self.heads = alignment_heads(checkpoint.dimensions, checkpoint.generation)
        self._start_tokens = 4 if checkpoint.tokens.is_multilingual else 2
        self._kv_element = kv_element

    def align(self, inputs: Sequence[AlignmentInput], cross_kv: CrossKVCache) -> list[Alignment]:
        """Times and probabilities of each text's tokens.

        Raises :class:`EngineError` if the graph cannot be compiled.
        """
        costs: list[Grid] = []
        probabilities: list[NDArray[np.float32]] = []
        lengths = [len(each.start) + len(each.text) + 1 for each in inputs]
        rows = cross_kv.rows_of(each.window for each in inputs)
        for group in _groups(lengths, cross_kv.frames[rows] == cross_kv.max_frames):
            for cost, shares in self._attend(inputs[group], cross_kv):
                costs.append(cost)
                probabilities.append(shares)
        return align(costs, probabilities)

    def _attend(
        self, inputs: Sequence[AlignmentInput], cross_kv: CrossKVCache
    ) -> Iterator[tuple[Grid, NDArray[np.float32]]]:
        """Run one group of texts; return each one's path cost and its tokens' probabilities."""
        tokens = self._tokens(inputs)
        request = self._request
        rows = cross_kv.bring_together([each.window for each in inputs])
        views = cross_kv.row_views(rows.start) if len(inputs) == 1 else cross_kv.views(rows)
        for name, tensor in tensors(views).items():
            request.set_tensor(name, tensor)
        request.set_tensor("tokens", ov.Tensor(tokens))
        request.infer()
        scores, shares = (request.get_tensor(name).data for name in ("scores", "probabilities"))
        for row, each in enumerate(inputs):
            stop = self._start_tokens + len(each.text)
            fed = scores[row, :, : stop + 1, : each.frames]
            text = slice(self._start_tokens - 1, stop)
            yield path_cost(fed, text), shares[row, : len(each.text)].copy()

    def _tokens(self, inputs: Sequence[AlignmentInput]) -> NDArray[np.int32]:
        """All tokens to feed, ``[rows, tokens]``; without an end if a text fills all positions.

        Shorter rows are padded with ends of text, which no token before them attends to.
        """
        positions = self._checkpoint.dimensions.max_target_positions
        fed = [(*each.start, *each.text) for each in inputs]
        longest = min(max(map(len, fed)) + 1, positions)
        tokens = np.full((len(inputs), longest), self._checkpoint.tokens.eot, np.int32)
        for row, values in zip(tokens, fed, strict=True):
            row[: len(values)] = values
        return tokens

    @cached_property
    def _request(self) -> ov.InferRequest:
        """The graph, opened for the first text."""
        checkpoint = self._checkpoint
        graph = self._graphs.open(
            f"alignment of heads {self.heads} to {self._kv_element}",
            lambda: build_alignment(
                checkpoint.weights,
                checkpoint.dimensions,
                self.heads,
                (self._start_tokens, checkpoint.tokens.eot),
                self._kv_element,
            ),
        )
        return kept_in_children(graph.create_infer_request())


def _groups(lengths: Sequence[int], full: NDArray[np.bool_]) -> Iterator[slice]:
    """Neighbouring texts that fit into one call, each padded to the longest.

    Texts of windows that are not full go alone: those windows have no common shape.
    """
    first = 0
    for row in range(1, len(lengths) + 1):
        group = lengths[first : row + 1]
        too_many = max(group) * len(group) > MAX_TOKENS
        if row == len(lengths) or too_many or not full[first : row + 1].all():
            yield slice(first, row)
            first = row
