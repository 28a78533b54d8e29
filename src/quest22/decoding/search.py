"""Drives the decoder step by step, for a batch of windows with prompts and searches of their own.

Knows neither graphs nor devices: it drives a :class:`StepwiseDecoder`. All rows stand at the same
position; a window whose prompt is longer is still being fed while others are being chosen for, so
no row is padded and no window depends on another. Finished windows leave the batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from quest22.decoding.beam_search import BeamSearchDecoder
from quest22.decoding.logits_rules import Logits
from quest22.decoding.logprobs import token_probability
from quest22.decoding.repetition import block_repeated_ngrams, penalize_repetition
from quest22.decoding.sampling import SamplingDecoder
from quest22.decoding.stepwise_decoder import StepwiseDecoder
from quest22.decoding.token_decoders import DecodeRequest, TokenDecoder, rank


@dataclass(frozen=True, slots=True)
class Continuation:
    """What was chosen after a prompt, without the end of text."""

    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float


@dataclass(slots=True, eq=False)
class _Window:
    """A request on its way; known tokens are those fed and those about to be."""

    request: DecodeRequest
    hunt: TokenDecoder = field(init=False)
    no_speech_prob: float = 0.0

    def __post_init__(self) -> None:
        beams = self.request.temperature == 0 and self.request.num_beams > 1
        self.hunt = BeamSearchDecoder(self.request) if beams else SamplingDecoder(self.request)

    @property
    def known(self) -> int:
        return len(self.request.prompt.tokens) + len(self.hunt.chosen[0])

    def tokens(self, start: int, end: int) -> list[list[int]]:
        """What each row is fed at the positions from ``start`` to before ``end``."""
        prompt = self.request.prompt.tokens
        first, last = (max(place - len(prompt), 0) for place in (start, end))
        return [[*prompt[start:end], *chosen[first:last]] for chosen in self.hunt.chosen]

    def result(self) -> Continuation:
        found = rank(self.hunt.candidates(), self.request.search.length_penalty)
        return Continuation(found.tokens, found.avg_logprob, self.no_speech_prob)


@dataclass(frozen=True, slots=True)
class BatchSearch:
    """Continues prompts; ``no_speech`` is the token of silence."""

    no_speech: int

    def run(
        self, stepper: StepwiseDecoder, requests: Sequence[DecodeRequest]
    ) -> list[Continuation]:
        """Continue each prompt to its end of text or its budget; all requests are equally wide.

        Average log-probabilities are counted as openai/whisper counts them: of the filtered
        logits, end of text included. Raises :class:`EngineError` where logits are not numbers.
        """
        windows = [_Window(request) for request in requests]
        live, position = list(windows), 0
        while live:
            end = min(window.known for window in live)
            sources = self._advance(stepper, live, position, end)
            position = end
            order = survivors([window.hunt.done for window in live])
            rows = [source for place in order for source in sources[place]]
            if rows != list(range(sum(map(len, sources)))):
                stepper.keep(rows)
            live = [live[place] for place in order]
        return [window.result() for window in windows]

    def _advance(
        self, stepper: StepwiseDecoder, live: Sequence[_Window], position: int, end: int
    ) -> list[list[int]]:
        """Feed what every row knows already, and choose for the windows that know no more.

        Gives the rows that each window's rows continue.
        """
        tokens = np.array([row for each in live for row in each.tokens(position, end)], np.int32)
        starts = {each.request.prompt.start for each in live}
        reads = sorted({end - 1} | {start for start in starts if position <= start < end})
        logits = stepper.step(tokens, [place - position for place in reads])
        num_beams = live[0].request.num_beams
        for place, window in enumerate(live):
            if (start := window.request.prompt.start) in reads:
                at_start = logits[place * num_beams, reads.index(start)]
                window.no_speech_prob = token_probability(at_start, self.no_speech)
        return self._choose(logits[:, -1], live, end)

    def _choose(self, logits: Logits, live: Sequence[_Window], end: int) -> list[list[int]]:
        num_beams = live[0].request.num_beams
        spans = [slice(place * num_beams, (place + 1) * num_beams) for place in range(len(live))]
        ready = [place for place, window in enumerate(live) if window.known == end]
        _rule(logits, [live[place] for place in ready], [spans[place] for place in ready])
        sources = [list(range(span.start, span.stop)) for span in spans]
        for place in ready:
            chosen = live[place].hunt.choose(logits[spans[place]])
            sources[place] = [place * num_beams + row for row in chosen]
        return sources


def _rule(logits: Logits, windows: Sequence[_Window], spans: Sequence[slice]) -> None:
    """Apply what each window forbids to its rows of ``logits [B, vocabulary]``."""
    for window, span in zip(windows, spans, strict=True):
        _discourage_repeats(logits[span], window)
    for rules in {id(window.request.rules): window.request.rules for window in windows}.values():
        ruled = [
            pair for pair in zip(windows, spans, strict=True) if pair[0].request.rules is rules
        ]
        rows = [row for _, span in ruled for row in range(span.start, span.stop)]
        sampled = [chosen for window, _ in ruled for chosen in window.hunt.chosen]
        timed = [each.request.prompt.timestamps for each, _ in ruled for _ in each.hunt.chosen]
        whole = len(rows) == len(logits)
        part = logits if whole else logits[rows]
        rules.apply(part, sampled, timed)
        if not whole:
            logits[rows] = part


def _discourage_repeats(logits: Logits, window: _Window) -> None:
    search = window.request.search
    for row, tokens in zip(logits, window.hunt.chosen, strict=True):
        if search.repetition_penalty != 1.0:
            penalize_repetition(row, tokens, search.repetition_penalty)
        if search.no_repeat_ngram_size:
            block_repeated_ngrams(row, tokens, search.no_repeat_ngram_size)


def survivors(finished: Sequence[bool]) -> list[int]:
    """The unfinished windows, moved as little as possible: the last ones fill the gaps."""
    alive = [place for place, done in enumerate(finished) if not done]
    return [alive.pop() if finished[place] else place for place in range(len(alive))]
