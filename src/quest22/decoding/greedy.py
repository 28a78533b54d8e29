"""The likeliest token, step by step, in a batch of sequences with prompts of their own.

Knows neither graphs nor devices: it drives a :class:`Stepper`. All sequences stand at the same
position; a row whose prompt is longer is still being fed while others are being chosen for, so no
row is padded and none depends on another. Finished rows leave the batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quest22.decoding.prompts import Prompt
from quest22.decoding.rules import Logits, Rules
from quest22.errors import EngineError


class Stepper(Protocol):
    """A decoder with its memory of earlier positions, for a batch whose sound it has heard."""

    def step(self, tokens: NDArray[np.int32], reads: Sequence[int]) -> Logits:
        """Feed ``tokens [B, T]``; the logits after the places ``reads`` of T: ``[B, N, V]``.

        The array is writable and valid until the next call.
        """
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Row i of the next step continues row ``rows[i]`` of the last; others leave."""
        ...


@dataclass(frozen=True, slots=True)
class Continuation:
    """What was chosen after a prompt, without the end of text."""

    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float


@dataclass(slots=True, eq=False)
class _Row:
    """One sequence on its way; ``known`` tokens are those fed and those about to be."""

    prompt: Prompt
    known: list[int] = field(init=False)
    chosen: list[int] = field(default_factory=list)
    sum_logprob: float = 0.0
    no_speech_prob: float = 0.0
    finished: bool = False

    def __post_init__(self) -> None:
        self.known = list(self.prompt.tokens)

    def choose(self, token: int, logprob: float, end_of_text: int) -> None:
        self.sum_logprob += logprob
        if token == end_of_text:
            self.finished = True
            return
        self.known.append(token)
        self.chosen.append(token)
        self.finished = len(self.chosen) == self.prompt.budget

    def result(self) -> Continuation:
        average = self.sum_logprob / (len(self.chosen) + 1)
        return Continuation(tuple(self.chosen), average, self.no_speech_prob)


@dataclass(frozen=True, slots=True)
class GreedySearch:
    """Greedy decoding by a checkpoint's rules; ``no_speech`` is the token of silence."""

    rules: Rules
    no_speech: int

    def run(self, stepper: Stepper, prompts: Sequence[Prompt]) -> list[Continuation]:
        """Continue each prompt to its end of text or its budget.

        Average log-probabilities are counted as openai/whisper counts them: of the filtered
        logits, end of text included. Raises :class:`EngineError` where logits are not numbers.
        """
        rows = [_Row(prompt) for prompt in prompts]
        live, position = list(rows), 0
        while live:
            position = self._advance(stepper, live, position)
            order = survivors([row.finished for row in live])
            if order != list(range(len(live))):
                stepper.keep(order)
                live = [live[place] for place in order]
        return [row.result() for row in rows]

    def _advance(self, stepper: Stepper, live: Sequence[_Row], position: int) -> int:
        """Feed what every row knows already, and choose for the rows that know no more."""
        end = min(len(row.known) for row in live)
        tokens = np.array([row.known[position:end] for row in live], np.int32)
        starts = {row.prompt.start for row in live if position <= row.prompt.start < end}
        reads = sorted({end - 1} | starts)
        logits = stepper.step(tokens, [place - position for place in reads])
        for row, seen in zip(live, logits, strict=True):
            if row.prompt.start in starts:
                row.no_speech_prob = _share(seen[reads.index(row.prompt.start)], self.no_speech)
        self._choose(logits[:, -1], live, end)
        return end

    def _choose(self, logits: Logits, live: Sequence[_Row], end: int) -> None:
        places = [place for place, row in enumerate(live) if len(row.known) == end]
        rows = [live[place] for place in places]
        if len(places) < len(live):
            logits = logits[places]
        timestamps = [row.prompt.timestamps for row in rows]
        self.rules.apply(logits, [row.chosen for row in rows], timestamps)
        tokens, logprobs = likeliest(logits)
        for row, token, logprob in zip(rows, tokens, logprobs, strict=True):
            row.choose(token, logprob, self.rules.end_of_text)


def likeliest(logits: Logits) -> tuple[list[int], list[float]]:
    """The best token of each row of ``[B, vocabulary]`` and its log-probability.

    Uses ``logits`` up: a batch of them is megabytes, too much to copy at every step. Raises
    :class:`EngineError` where a row has no finite best.
    """
    tokens = logits.argmax(axis=1)
    best = np.take_along_axis(logits, tokens[:, None], axis=1)
    if not np.isfinite(best).all():
        raise EngineError(
            "the decoder gave logits that are not finite: the sound or the weights hold values "
            "out of range; try --compute-type float32"
        )
    np.exp(np.subtract(logits, best, out=logits), out=logits)
    return tokens.tolist(), (-np.log(logits.sum(axis=1))).tolist()


def survivors(finished: Sequence[bool]) -> list[int]:
    """The unfinished rows, moved as little as possible: the last ones fill the gaps."""
    alive = [place for place, done in enumerate(finished) if not done]
    return [alive.pop() if finished[place] else place for place in range(len(alive))]


def _share(logits: Logits, token: int) -> float:
    """The probability of ``token`` by a softmax over ``[vocabulary]``."""
    highest = logits.max()
    return float(np.exp(logits[token] - highest) / np.exp(logits - highest).sum())
