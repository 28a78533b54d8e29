"""Decodes a batch of windows step by step, each with its own prompt, rules and search.

Knows neither graphs nor devices: it drives a :class:`StepwiseDecoder`. All rows are at the same
position; a window with a longer prompt is still being fed while tokens are chosen for others, so no
row is padded and no window depends on another. Completed windows leave the batch at once.

A window with a draft is decoded alone: the draft is fed with its prompt, and as many of its tokens
count as a search step by step would choose (greedy speculative decoding: Stern et al., 2018,
arXiv:1811.03115, with an earlier hypothesis as the proposal). How many differs from window to
window, so in a batch most rows would wait for others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quest22.decoding.logprobs import Logits, token_probability
from quest22.decoding.repetition import block_repeated_ngrams, penalize_repetition
from quest22.decoding.token_decoders import (
    BeamSearchDecoder,
    DecodeRequest,
    DecodeResult,
    SamplingDecoder,
    TokenDecoder,
    rank,
)

MAX_GUESSES = 64
"""Tokens of a draft that are checked in one pass: the logits of each take 200 kB."""


class StepwiseDecoder(Protocol):
    """A decoder with its key-value cache, for windows that are encoded.

    All windows have the same number of rows, which are adjacent: one each until
    :meth:`reorder_cache` makes more of it.
    """

    def step(self, tokens: NDArray[np.int32], logit_positions: Sequence[int]) -> Logits:
        """Feed ``tokens [B, T]``; return the logits after some positions in T: ``[B, N, V]``.

        The array is writable and valid until the next call.
        """
        ...

    def reorder_cache(self, rows: Sequence[int]) -> None:
        """Row i of the next step continues row ``rows[i]`` of the last; other rows leave.

        Rows continue rows of the same window, and a window leaves with all of its rows.
        """
        ...

    def rewind(self, position: int) -> None:
        """Forget the tokens fed from ``position`` on, counted from the start, in every row."""
        ...


class BatchDecoder(StepwiseDecoder, Protocol):
    """A decoder for any windows of an encoded batch, each of them as often as it is named."""

    def restart(self, windows: Sequence[int], num_beams: int) -> None:
        """Start these windows of the batch, with up to ``num_beams`` rows each and no cache."""
        ...


@dataclass(slots=True, eq=False)
class _Window:
    """A request in progress; ``length`` counts the tokens that are fed or about to be."""

    request: DecodeRequest
    decoder: TokenDecoder = field(init=False)
    no_speech_prob: float = 0.0

    def __post_init__(self) -> None:
        beams = self.request.temperature == 0 and self.request.num_beams > 1
        self.decoder = BeamSearchDecoder(self.request) if beams else SamplingDecoder(self.request)

    @property
    def length(self) -> int:
        return len(self.request.prompt.tokens) + len(self.decoder.sampled[0])

    @property
    def guesses(self) -> tuple[int, ...]:
        """What is left of the draft if all chosen tokens were guessed, else nothing."""
        chosen, guesses = self.decoder.sampled[0], self.request.guesses
        if self.decoder.completed or tuple(chosen) != guesses[: len(chosen)]:
            return ()
        return guesses[len(chosen) :]

    def tokens(self, start: int, end: int) -> list[list[int]]:
        """The tokens of each row at the positions from ``start`` to before ``end``.

        At the start all rows are the same, and are one.
        """
        prompt = self.request.prompt.tokens
        first, last = (max(position - len(prompt), 0) for position in (start, end))
        rows = self.decoder.sampled if start else self.decoder.sampled[:1]
        return [[*prompt[start:end], *sampled[first:last]] for sampled in rows]

    def result(self) -> DecodeResult:
        best = rank(self.decoder.candidates(), self.request.search.length_penalty)
        return DecodeResult(best.tokens, best.avg_logprob, self.no_speech_prob, best.logprobs)


@dataclass(frozen=True, slots=True)
class BatchSearch:
    """Continues prompts; ``no_speech`` is the token ``<|nospeech|>``."""

    no_speech: int

    def decode(
        self, decoder: BatchDecoder, requests: Sequence[DecodeRequest]
    ) -> list[DecodeResult]:
        """Decode each window of a batch, first greedily where its search says so.

        Windows with equally many rows are decoded together, those with the fewest first, so that
        windows whose greedy hypothesis does not stand join the others with beams. Raises
        :class:`EngineError` if logits are not finite.
        """

        def decode(part: Mapping[int, DecodeRequest], num_beams: int) -> list[DecodeResult]:
            decoder.restart(list(part), num_beams)
            return self.run(decoder, list(part.values()))

        return decode_in_tries(requests, decode)

    def run(
        self, decoder: StepwiseDecoder, requests: Sequence[DecodeRequest]
    ) -> list[DecodeResult]:
        """Continue each prompt to its end of text or its limit.

        All requests have the same number of beams; one with a draft comes alone. Raises
        :class:`EngineError` if logits are not finite.
        """
        windows = [_Window(request) for request in requests]
        position = 0
        if len(windows) == 1 and requests[0].guesses:
            position = self._check_draft(decoder, windows[0])
        live = [window for window in windows if not window.decoder.completed]
        while live:
            end = min(window.length for window in live)
            sources, fed = self._advance(decoder, live, position, end)
            position = end
            order = survivors([window.decoder.completed for window in live])
            rows = [source for index in order for source in sources[index]]
            if rows != list(range(fed)):
                decoder.reorder_cache(rows)
            live = [live[index] for index in order]
        return [window.result() for window in windows]

    def _check_draft(self, decoder: StepwiseDecoder, window: _Window) -> int:
        """Feed the prompt and the draft; choose until a token is not as guessed.

        Returns the position from which to go on, that of the last token chosen.
        """
        position = 0
        while guesses := window.guesses[:MAX_GUESSES]:
            tokens = np.array([[*window.tokens(position, window.length)[0], *guesses]], np.int32)
            chosen_after = range(window.length - 1, window.length + len(guesses))
            logits = self._feed(decoder, [window], tokens, position, chosen_after)
            for after, guess in zip(logits[0, -len(chosen_after) :], (*guesses, None), strict=True):
                self._choose(after[None], [window], window.length)
                if window.decoder.completed or window.decoder.sampled[0][-1] != guess:
                    break
            position = window.length - 1
            decoder.rewind(position)
        return position

    def _advance(
        self, decoder: StepwiseDecoder, live: Sequence[_Window], position: int, end: int
    ) -> tuple[list[list[int]], int]:
        """Feed the tokens that every row already has; choose for windows that have no more.

        Returns the rows that each window's rows continue, and how many rows were fed.
        """
        tokens = np.array([row for each in live for row in each.tokens(position, end)], np.int32)
        logits = self._feed(decoder, live, tokens, position, [end - 1])[:, -1]
        copies = live[0].request.num_beams * len(live) // len(tokens)
        if copies == 1:
            return self._choose(logits, live, end), len(tokens)
        sources = self._choose(np.repeat(logits, copies, axis=0), live, end)
        return [[row // copies for row in rows] for rows in sources], len(tokens)

    def _feed(
        self,
        decoder: StepwiseDecoder,
        live: Sequence[_Window],
        tokens: NDArray[np.int32],
        position: int,
        wanted: Sequence[int],
    ) -> Logits:
        """Feed tokens at a position; the logits after the wanted positions come last.

        Before them may come others, from which windows learn whether anybody speaks.
        """
        end = position + tokens.shape[1]
        starts = {each.request.prompt.sot_index for each in live}
        places = sorted({*wanted} | {start for start in starts if position <= start < end})
        logits = decoder.step(tokens, [place - position for place in places])
        rows = len(tokens) // len(live)
        for index, window in enumerate(live):
            if (start := window.request.prompt.sot_index) in places:
                at_start = logits[index * rows, places.index(start)]
                window.no_speech_prob = token_probability(at_start, self.no_speech)
        return logits

    def _choose(self, logits: Logits, live: Sequence[_Window], end: int) -> list[list[int]]:
        num_beams = live[0].request.num_beams
        spans = [slice(index * num_beams, (index + 1) * num_beams) for index in range(len(live))]
        ready = [index for index, window in enumerate(live) if window.length == end]
        _apply_rules(logits, [live[index] for index in ready], [spans[index] for index in ready])
        sources = [list(range(span.start, span.stop)) for span in spans]
        for index in ready:
            continued = live[index].decoder.update(logits[spans[index]])
            sources[index] = [index * num_beams + row for row in continued]
        return sources


def _apply_rules(logits: Logits, windows: Sequence[_Window], spans: Sequence[slice]) -> None:
    """Apply each window's rules to its rows of ``logits [B, vocabulary]``."""
    for window, span in zip(windows, spans, strict=True):
        _penalize_repeats(logits[span], window)
    for rules in {id(window.request.rules): window.request.rules for window in windows}.values():
        ruled = [
            pair for pair in zip(windows, spans, strict=True) if pair[0].request.rules is rules
        ]
        rows = [row for _, span in ruled for row in range(span.start, span.stop)]
        sampled = [tokens for window, _ in ruled for tokens in window.decoder.sampled]
        timed = [each.request.prompt.timestamps for each, _ in ruled for _ in each.decoder.sampled]
        whole = len(rows) == len(logits)
        part = logits if whole else logits[rows]
        rules.apply(part, sampled, timed)
        if not whole:
            logits[rows] = part


def decode_in_tries(
    requests: Sequence[DecodeRequest],
    decode: Callable[[Mapping[int, DecodeRequest], int], list[DecodeResult]],
) -> list[DecodeResult]:
    """Decode each window of a batch, first greedily where its search says so.

    ``decode`` is called with requests by window, to be decoded together, and their number of rows:
    the fewest first.
    """
    results: dict[int, DecodeResult] = {}
    tries = [(window, each) for window, of in enumerate(requests) for each in of.tries]
    for num_beams in sorted({each.num_beams for _, each in tries}):
        group = {
            window: each
            for window, each in tries
            if each.num_beams == num_beams
            and not (window in results and each.stands(results[window]))
        }
        for part in _decoded_together(group):
            results.update(zip(part, decode(part, num_beams), strict=True))
    return [results[window] for window in range(len(requests))]


def _decoded_together(requests: Mapping[int, DecodeRequest]) -> list[dict[int, DecodeRequest]]:
    """The requests, by window: those that go together, then each of the others."""
    together = {window: each for window, each in requests.items() if not each.alone}
    alone = [{window: each} for window, each in requests.items() if each.alone]
    return [together, *alone] if together else alone


def _penalize_repeats(logits: Logits, window: _Window) -> None:
    search = window.request.search
    for row, tokens in zip(logits, window.decoder.sampled, strict=True):
        if search.repetition_penalty != 1.0:
            penalize_repetition(row, tokens, search.repetition_penalty)
        if search.no_repeat_ngram_size:
            block_repeated_ngrams(row, tokens, search.no_repeat_ngram_size)


def survivors(completed: Sequence[bool]) -> list[int]:
    """The windows that continue, moved as little as possible: the last ones fill the gaps."""
    alive = [index for index, done in enumerate(completed) if not done]
    return [alive.pop() if completed[index] else index for index in range(len(alive))]
