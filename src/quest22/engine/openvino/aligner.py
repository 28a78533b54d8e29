"""Times of text tokens: the decoder once more, over a text that is known, in a single pass.

A graph of its own, compiled when words are first asked for, so that decoding pays nothing for
it. Knows cross-attention states and tokens; knows nothing of clips, words or search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from quest22.checkpoint.load import Checkpoint
from quest22.decoding.alignment import FRAMES_PER_S, align, path_cost
from quest22.decoding.dtw import Grid
from quest22.decoding.timestamps import finished_part
from quest22.engine.kv_cache import CrossKVCache
from quest22.engine.openvino.alignment_graph import alignment_heads, build_alignment
from quest22.engine.openvino.compiled_graphs import CompiledGraphs
from quest22.engine.openvino.decoder_network import tensors
from quest22.records import FRAMES_PER_S as FEATURES_PER_S
from quest22.records import SAMPLE_RATE_HZ, Alignment, Hypothesis, Window

MOST_TOKENS = 320
"""In one call, over all its rows: their scores over the vocabulary take 200 kB a token."""

FEATURES_A_FRAME = FEATURES_PER_S // FRAMES_PER_S


@dataclass(frozen=True, slots=True)
class AlignmentInput:
    """What was heard in a row of a batch.

    ``start`` is ``<|startoftranscript|>`` up to ``<|notimestamps|>``, with language and task where
    the checkpoint has them; ``frames`` of the encoder hold sound.
    """

    start: tuple[int, ...]
    text: tuple[int, ...]
    frames: int


class Aligner:
    """Finds where texts lie in windows whose cross-attention states are known."""

    def __init__(self, checkpoint: Checkpoint, graphs: CompiledGraphs, element: str) -> None:
        """For states of this element.

        Raises :class:`CheckpointError` for alignment heads that the model does not have.
        """
        self._checkpoint = checkpoint
        self._graphs = graphs
        self._heads = alignment_heads(checkpoint.dimensions, checkpoint.generation)
        self._start = 4 if checkpoint.tokens.is_multilingual else 2
        self._element = element

    def add_alignments(
        self, windows: Sequence[Window], hypotheses: Sequence[Hypothesis], states: CrossKVCache
    ) -> list[Hypothesis]:
        """The hypotheses, with alignments where their windows ask for words.

        ``states`` has a row for each of those windows, in their order.
        """
        timed = [row for row, window in enumerate(windows) if window.decoding.words]
        said = [self._said(windows[row], hypotheses[row]) for row in timed]
        found = list(hypotheses)
        for row, alignment in zip(timed, self.align(said, states), strict=True):
            found[row] = replace(hypotheses[row], alignment=alignment)
        return found

    def _said(self, window: Window, hypothesis: Hypothesis) -> AlignmentInput:
        tokens = self._checkpoint.tokens
        language = hypothesis.language if tokens.is_multilingual else None
        kept, _ = finished_part(hypothesis.tokens, tokens.timestamp_begin)
        return AlignmentInput(
            start=tokens.initial_tokens(language, window.decoding.task, timestamps=False),
            text=tuple(token for token in kept if token < tokens.eot),
            frames=max(sounding_frames(window) - window.skip_frames, 0) // FEATURES_A_FRAME,
        )

    def align(self, said: Sequence[AlignmentInput], states: CrossKVCache) -> list[Alignment]:
        """Times and probabilities of each row's text; row i of ``states`` is that of ``said[i]``.

        Raises :class:`EngineError` where the graph cannot be compiled.
        """
        costs: list[Grid] = []
        probabilities: list[NDArray[np.float32]] = []
        for rows in _groups([len(each.start) + len(each.text) + 1 for each in said]):
            for cost, shares in self._attend(said[rows], states, rows):
                costs.append(cost)
                probabilities.append(shares)
        return align(costs, probabilities)

    def _attend(
        self, said: Sequence[AlignmentInput], states: CrossKVCache, rows: slice
    ) -> Iterator[tuple[Grid, NDArray[np.float32]]]:
        """Run one group of rows; each row's cost and its tokens' probabilities."""
        tokens = self._tokens(said)
        request = self._request
        for name, tensor in tensors(states.views(rows)).items():
            request.set_tensor(name, tensor)
        request.set_tensor("tokens", ov.Tensor(tokens))
        request.infer()
        scores, shares = (request.get_tensor(name).data for name in ("scores", "probabilities"))
        for row, each in enumerate(said):
            stop = self._start + len(each.text)
            fed = scores[row, :, : stop + 1, : each.frames]
            text = slice(self._start - 1, stop)
            yield path_cost(fed, text), shares[row, : len(each.text)].copy()

    def _tokens(self, said: Sequence[AlignmentInput]) -> NDArray[np.int32]:
        """All that is fed, ``[rows, tokens]``; a text that fills all places goes without its end.

        Shorter rows are filled up with ends of text, which nothing before them sees.
        """
        places = self._checkpoint.dimensions.max_target_positions
        fed = [(*each.start, *each.text) for each in said]
        longest = min(max(map(len, fed)) + 1, places)
        tokens = np.full((len(said), longest), self._checkpoint.tokens.eot, np.int32)
        for row, known in zip(tokens, fed, strict=True):
            row[: len(known)] = known
        return tokens

    @cached_property
    def _request(self) -> ov.InferRequest:
        """The graph, opened when the first text comes."""
        found = self._checkpoint
        return self._graphs.open(
            f"alignment of heads {self._heads} to {self._element}",
            lambda: build_alignment(
                found.weights,
                found.dimensions,
                self._heads,
                (self._start, found.tokens.eot),
                self._element,
            ),
        ).create_infer_request()


def _groups(lengths: Sequence[int]) -> Iterator[slice]:
    """Neighbouring rows that fit into one call, each filled up to the longest."""
    first = 0
    for row in range(1, len(lengths) + 1):
        group = lengths[first : row + 1]
        if row == len(lengths) or max(group) * len(group) > MOST_TOKENS:
            yield slice(first, row)
            first = row


def sounding_frames(window: Window) -> int:
    """Log-mel frames of a window that hold sound: whole ones of 10 ms."""
    if window.features is not None:
        return window.frames
    return len(window.samples) * FEATURES_PER_S // SAMPLE_RATE_HZ
