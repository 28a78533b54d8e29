"""A draft model and its model on a device: guesses and checks are passes over all rows.

The roles are those of :mod:`quest22.decoding.speculative`, whose loop decides what counts. The host
reads a guess of each row at a time, and what was chosen in a pass; logits stay on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quest22.checkpoint.config import Dimensions
from quest22.decoding.draft_length import StepCosts
from quest22.decoding.speculative import Odds, Row, Tokens, fed_to_draft, padded
from quest22.engine.torch.device import Placement
from quest22.engine.torch.memory import cache_bytes
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.passes import PassRunner

_CHECK = 0.1
"""What another token adds to a pass over few rows, which is bound by reading weights."""


@dataclass(frozen=True, slots=True, eq=False)
class TorchDraft:
    """A draft model. If it ``shares`` the encoder, the model's sound is its own."""

    model: WhisperModel
    costs: StepCosts
    shares: bool


def computed_costs(model: Dimensions, draft: Dimensions, placement: Placement) -> StepCosts:
    """What a draft's steps cost beside its model's, by the bytes that each reads.

    Not measured: on this engine last digits depend on how many tokens are fed at once, and another
    process that goes on with a run must decide as the first one did.
    """
    counts = (1, 16, 128)
    drafts = [_bytes(draft, placement, each) / _bytes(model, placement, each) for each in counts]
    return StepCosts(counts, tuple(drafts), tuple(_CHECK for _ in counts))


def _bytes(dims: Dimensions, placement: Placement, rows: int) -> int:
    """Weights of the decoder, and keys and values of the rows' sound."""
    width = dims.d_model
    layer = 6 * width * width + 2 * width * dims.decoder_ffn
    weights = dims.decoder_layers * layer + dims.vocab_size * width
    sound, _ = cache_bytes(dims, placement)
    return weights * placement.dtype.itemsize + rows * sound


class DeviceChecker:
    """A :class:`quest22.decoding.speculative.Checker`."""

    def __init__(self, runner: PassRunner, no_speech: int) -> None:
        self.positions = runner.positions
        self._runner = runner
        self._no_speech = no_speech

    def keep(self, rows: Sequence[Row], order: Sequence[int]) -> None:
        self._runner.keep(rows, order)

    def begin(self, rows: Sequence[Row]) -> tuple[Tokens, Odds]:
        self._runner.begin_rows(rows)
        prompts = [row.request.prompt for row in rows]
        wanted = [[prompt.sot_index, len(prompt.tokens) - 1] for prompt in prompts]
        tokens = padded([prompt.tokens for prompt in prompts])
        at_start, chosen, logprobs = self._runner.feed_prompts(tokens, np.array(wanted, np.int32))
        shares = at_start.softmax(1)[:, self._no_speech].tolist()
        for row, share in zip(rows, shares, strict=True):
            row.no_speech_prob = share
        return chosen, logprobs

    def check(self, rows: Sequence[Row], guesses: Tokens) -> tuple[Tokens, Odds]:
        last = np.array([[row.sampled[-1]] for row in rows], np.int32)
        tokens = np.concatenate([last, guesses], axis=1)
        starts = np.array([row.length - 1 for row in rows], np.int32)
        wanted = np.tile(np.arange(tokens.shape[1], dtype=np.int32), (len(rows), 1))
        return self._runner.run(tokens, starts, wanted, [row.sampled for row in rows])


class DeviceProposer:
    """A :class:`quest22.decoding.speculative.Proposer`."""

    def __init__(self, runner: PassRunner) -> None:
        self._runner = runner

    def begin(self, rows: Sequence[Row]) -> None:
        self._runner.begin_rows(rows)

    def keep(self, rows: Sequence[Row], order: Sequence[int]) -> None:
        self._runner.keep(rows, order)

    def guess(self, rows: Sequence[Row], guesses: Sequence[list[int]]) -> tuple[list[int], Odds]:
        sampled = [row.sampled + each for row, each in zip(rows, guesses, strict=True)]
        tokens, logprobs = self._runner.run(*fed_to_draft(rows, guesses), sampled)
        return tokens[:, 0].tolist(), logprobs[:, 0]
