"""Greedy decoding in which a smaller model guesses tokens and the model checks them in one pass.

Speculative decoding (Leviathan et al., 2023, arXiv:2211.17192) at temperature 0: a guess counts if
the model would have chosen it, so tokens and probabilities are those of greedy decoding without a
draft. Each row of a batch goes on from its own first wrong guess. Both models follow the same rules
for tokens. :mod:`quest22.decoding.draft_length` says how many tokens are guessed.

The loop is here; what computes are a :class:`Proposer` and a :class:`Checker`. Those of this module
choose tokens in NumPy, over any :class:`RowDecoder`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quest22.decoding.draft_length import DraftLength, StepCosts
from quest22.decoding.logprobs import Logits, argmax, token_probability
from quest22.decoding.search import survivors
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult, SamplingDecoder, rank

Tokens = NDArray[np.int32]
Odds = NDArray[np.float64]


def follows(request: DecodeRequest) -> bool:
    """Whether a draft model can guess for a request; others are decoded without one.

    It guesses greedily, and knows no rules about repetition. A window with a draft of its own, or
    whose attention is kept, is decoded alone.
    """
    search = request.search
    plain = search.repetition_penalty == 1.0 and not search.no_repeat_ngram_size
    return plain and request.is_greedy and not request.alone


@dataclass(slots=True, eq=False)
class Row:
    """A window in progress; ``drafted`` counts the tokens that the draft model has been fed."""

    window: int
    request: DecodeRequest
    decoder: SamplingDecoder = field(init=False)
    no_speech_prob: float = 0.0
    drafted: int = 0

    def __post_init__(self) -> None:
        self.decoder = SamplingDecoder(self.request)

    @property
    def sampled(self) -> list[int]:
        """The tokens chosen so far."""
        return self.decoder.sampled[0]

    @property
    def length(self) -> int:
        """Tokens of the prompt and those chosen so far."""
        return len(self.request.prompt.tokens) + len(self.sampled)

    @property
    def tokens(self) -> list[int]:
        """All of them."""
        return [*self.request.prompt.tokens, *self.sampled]

    @property
    def room(self) -> int:
        """Tokens that may still be chosen."""
        return self.request.prompt.max_new_tokens - len(self.sampled)

    def accept(self, guesses: Sequence[int], tokens: Sequence[int], logprobs: Odds) -> int:
        """Note what was chosen, up to the token that follows the last right guess.

        Returns how many guesses were right.
        """
        before = self.length
        for place, (token, logprob) in enumerate(zip(tokens, logprobs.tolist(), strict=True)):
            self.decoder.record([token], [logprob])
            if self.decoder.completed or place == len(guesses) or token != guesses[place]:
                break
        right = place + (place < len(guesses) and token == guesses[place])
        # The last guess is not fed to the draft, and what it was fed after a wrong one is void.
        self.drafted = (
            min(before + len(guesses) - 1, self.length - 1) if len(guesses) else self.drafted
        )
        return right

    def result(self) -> DecodeResult:
        """Once completed."""
        best = rank(self.decoder.candidates(), self.request.search.length_penalty)
        return DecodeResult(best.tokens, best.avg_logprob, self.no_speech_prob, best.logprobs)


@dataclass(frozen=True, slots=True)
class Guesses:
    """``tokens [rows, guesses]`` and the draft's probabilities of them; there may be none."""

    tokens: Tokens
    probabilities: Odds  # 0 after an end of text


class Proposer(Protocol):
    """The draft model."""

    def begin(self, rows: Sequence[Row]) -> None:
        """Start these rows."""
        ...

    def guess(self, rows: Sequence[Row], guesses: Sequence[list[int]]) -> tuple[list[int], Odds]:
        """One more token for each row after its ``guesses``, and its log-probability, ``[rows]``.

        It is fed :func:`fed_to_draft`.
        """
        ...

    def keep(self, rows: Sequence[Row], order: Sequence[int]) -> None:
        """These ``rows`` go on: row i is row ``order[i]`` of the last call; others leave."""
        ...


class Checker(Protocol):
    """The model. Its methods raise :class:`EngineError` if logits are not finite."""

    @property
    def positions(self) -> int:
        """How many tokens it can be fed in all."""
        ...

    def begin(self, rows: Sequence[Row]) -> tuple[Tokens, Odds]:
        """Feed the prompts and set each row's ``no_speech_prob``.

        Returns each row's first token and its log-probability, ``[rows, 1]``.
        """
        ...

    def check(self, rows: Sequence[Row], guesses: Tokens) -> tuple[Tokens, Odds]:
        """Feed each row's last token and its ``guesses [rows, N]``.

        Returns what is chosen after each, ``[rows, N + 1]``, and the log-probabilities; what comes
        after a wrong guess means nothing.
        """
        ...

    def keep(self, rows: Sequence[Row], order: Sequence[int]) -> None:
        """As :meth:`Proposer.keep`."""
        ...


@dataclass(slots=True)
class DraftCounts:
    """What came of guesses: ``passes`` of the model over a row, and the ``tokens`` they gave."""

    guessed: int = 0
    right: int = 0
    passes: int = 0
    tokens: int = 0

    def __str__(self) -> str:
        share = self.right / max(self.guessed, 1)
        each = self.tokens / max(self.passes, 1)
        return f"{self.guessed:,} tokens guessed, {share:.0%} of them right, {each:.2f} a pass"


@dataclass(slots=True)
class SpeculativeSearch:
    """Continues prompts greedily with a draft model; ``counts`` adds up what came of it."""

    costs: StepCosts
    counts: DraftCounts = field(default_factory=DraftCounts)

    def run(
        self, checker: Checker, proposer: Proposer, requests: Mapping[int, DecodeRequest]
    ) -> list[DecodeResult]:
        """Continue the prompt of each window to its end; results come in order.

        All requests are such that a draft :func:`follows` them. Raises :class:`EngineError` if
        logits are not finite.
        """
        rows = [Row(window, request) for window, request in requests.items()]
        length = DraftLength(self.costs)
        proposer.begin(rows)
        chosen, logprobs = checker.begin(rows)
        for row, *first in zip(rows, chosen.tolist(), logprobs, strict=True):
            row.accept((), *first)
        live = self._keep_live(rows, checker, proposer)
        while live:
            self._round(live, checker, proposer, length)
            live = self._keep_live(live, checker, proposer)
        return [row.result() for row in rows]

    def _round(
        self, live: Sequence[Row], checker: Checker, proposer: Proposer, length: DraftLength
    ) -> None:
        most = min(
            max(row.room for row in live) - 1,
            checker.positions - max(row.length for row in live),
        )
        guesses = _guessed(proposer, live, length, most)
        chosen, logprobs = checker.check(live, guesses.tokens)
        before = sum(row.length for row in live)
        right = [
            row.accept(*each)
            for row, *each in zip(
                live, guesses.tokens.tolist(), chosen.tolist(), logprobs, strict=True
            )
        ]
        length.note(guesses.probabilities, right)
        self.counts.guessed += int(np.count_nonzero(guesses.probabilities))
        self.counts.right += sum(right)
        self.counts.passes += len(live)
        self.counts.tokens += sum(row.length for row in live) - before

    @staticmethod
    def _keep_live(rows: Sequence[Row], checker: Checker, proposer: Proposer) -> list[Row]:
        order = survivors([row.decoder.completed for row in rows])
        kept = [rows[index] for index in order]
        if kept and order != list(range(len(rows))):
            checker.keep(kept, order)
            proposer.keep(kept, order)
        return kept


def _guessed(proposer: Proposer, rows: Sequence[Row], length: DraftLength, most: int) -> Guesses:
    """As many guesses as pay, ``most`` of them at most."""
    guesses: list[list[int]] = [[] for _ in rows]
    found: list[Odds] = []
    odds = np.ones(len(rows))
    while len(found) < most and odds.any() and length.another(odds, len(found)):
        chosen, logprobs = proposer.guess(rows, guesses)
        found.append(np.where(odds > 0, np.exp(logprobs), 0.0))
        odds *= found[-1]
        for place, (row, token) in enumerate(zip(rows, chosen, strict=True)):
            guesses[place].append(token)
            if token == row.request.rules.end_of_text:
                odds[place] = 0.0
    shape = (len(rows), len(found))
    tokens = np.array(guesses, np.int32).reshape(shape)
    return Guesses(tokens, np.array(found, np.float64).T.reshape(shape))


def fed_to_draft(
    rows: Sequence[Row], guesses: Sequence[list[int]]
) -> tuple[Tokens, Tokens, Tokens]:
    """What a draft is fed before a guess: as :meth:`RowDecoder.step` takes it.

    Each row's last guess; before the first, all tokens that the draft does not know yet.
    """
    if guesses[0]:
        tokens = np.array([each[-1:] for each in guesses], np.int32)
        starts = [row.length + len(guesses[0]) - 1 for row in rows]
        return tokens, np.array(starts, np.int32), np.zeros((len(rows), 1), np.int32)
    count = max(row.length - row.drafted for row in rows)
    starts = [max(0, row.length - count) for row in rows]
    tails = [row.tokens[start:] for row, start in zip(rows, starts, strict=True)]
    ends = np.array([[len(tail) - 1] for tail in tails], np.int32)
    return padded(tails), np.array(starts, np.int32), ends


def padded(rows: Sequence[Sequence[int]]) -> Tokens:
    """Rows of one length; what is fed after a row's end is fed again before it is attended to."""
    tokens = np.zeros((len(rows), max(map(len, rows))), np.int32)
    for row, known in zip(tokens, rows, strict=True):
        row[: len(known)] = known
    return tokens


class RowDecoder(Protocol):
    """A decoder with its key-value cache, whose rows are at positions of their own."""

    @property
    def positions(self) -> int:
        """How many tokens a row has room for."""
        ...

    def restart(self, windows: Sequence[int]) -> None:
        """Start these windows of an encoded batch, one row each and no cache."""
        ...

    def step(self, tokens: Tokens, positions: Tokens, logit_positions: Tokens) -> Logits:
        """Feed ``tokens [B, T]``, row i from ``positions[i]`` on.

        What a row was fed there before is forgotten. Returns the logits after ``logit_positions
        [B, N]`` in T: ``[B, N, V]``, writable and valid until the next call.
        """
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Row i of the next step continues row ``rows[i]``, in the order of :func:`survivors`."""
        ...


class HostChecker:
    """A :class:`Checker` that chooses in NumPy; ``no_speech`` is the token ``<|nospeech|>``."""

    def __init__(self, decoder: RowDecoder, no_speech: int) -> None:
        self.positions = decoder.positions
        self._decoder = decoder
        self._no_speech = no_speech

    def keep(self, rows: Sequence[Row], order: Sequence[int]) -> None:
        self._decoder.keep(order)

    def begin(self, rows: Sequence[Row]) -> tuple[Tokens, Odds]:
        self._decoder.restart([row.window for row in rows])
        prompts = [row.request.prompt for row in rows]
        tokens = padded([prompt.tokens for prompt in prompts])
        ends = [[prompt.sot_index, len(prompt.tokens) - 1] for prompt in prompts]
        wanted = np.array(ends, np.int32)[:, -tokens.shape[1] :]
        logits = self._decoder.step(tokens, np.zeros(len(rows), np.int32), wanted)
        for row, at_start in zip(rows, logits[:, 0], strict=True):
            row.no_speech_prob = token_probability(at_start, self._no_speech)
        return _chosen(
            logits[:, -1:], [row.request for row in rows], [[row.sampled] for row in rows]
        )

    def check(self, rows: Sequence[Row], guesses: Tokens) -> tuple[Tokens, Odds]:
        last = np.array([[row.sampled[-1]] for row in rows], np.int32)
        tokens = np.concatenate([last, guesses], axis=1)
        starts = np.array([row.length - 1 for row in rows], np.int32)
        wanted = np.tile(np.arange(tokens.shape[1], dtype=np.int32), (len(rows), 1))
        logits = self._decoder.step(tokens, starts, wanted)
        sampled = [
            [row.sampled + guessed[:count] for count in range(len(guessed) + 1)]
            for row, guessed in zip(rows, guesses.tolist(), strict=True)
        ]
        return _chosen(logits, [row.request for row in rows], sampled)


class HostProposer:
    """A :class:`Proposer` that chooses in NumPy."""

    def __init__(self, decoder: RowDecoder) -> None:
        self._decoder = decoder

    def begin(self, rows: Sequence[Row]) -> None:
        self._decoder.restart([row.window for row in rows])

    def keep(self, rows: Sequence[Row], order: Sequence[int]) -> None:
        self._decoder.keep(order)

    def guess(self, rows: Sequence[Row], guesses: Sequence[list[int]]) -> tuple[list[int], Odds]:
        logits = self._decoder.step(*fed_to_draft(rows, guesses))
        sampled = [[row.sampled + each] for row, each in zip(rows, guesses, strict=True)]
        tokens, logprobs = _chosen(logits, [row.request for row in rows], sampled)
        return tokens[:, 0].tolist(), logprobs[:, 0]


def _chosen(
    logits: Logits, requests: Sequence[DecodeRequest], sampled: Sequence[Sequence[list[int]]]
) -> tuple[Tokens, Odds]:
    """The best tokens by ``logits [rows, N, vocabulary]`` and their log-probabilities.

    ``sampled`` are the tokens before each, of every row. Overwrites the logits.
    """
    rows, count, vocabulary = logits.shape
    flat = logits.reshape(rows * count, vocabulary)
    for rules in {id(each.rules): each.rules for each in requests}.values():
        ruled = [place for place, each in enumerate(requests) if each.rules is rules]
        before = [tokens for place in ruled for tokens in sampled[place]]
        timed = [requests[place].prompt.timestamps for place in ruled for _ in range(count)]
        if len(ruled) == rows:
            rules.apply(flat, before, timed)
            continue
        places = [place * count + each for place in ruled for each in range(count)]
        part = flat[places]
        rules.apply(part, before, timed)
        flat[places] = part
    tokens, logprobs = argmax(flat)
    shape = (rows, count)
    return np.array(tokens, np.int32).reshape(shape), np.array(logprobs).reshape(shape)
