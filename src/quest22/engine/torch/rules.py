"""Which tokens may come next, on the device: :mod:`quest22.decoding.logits_rules` as tensors.

Every row has its own rules and its own place in the timestamp grammar, and nothing is asked of the
host.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from quest22.decoding.logits_rules import LogitsRules

_MOST_TABLES = 16
"""Combinations of rules that are kept: each takes 400 kB for each of its rules."""


@dataclass(slots=True, eq=False)
class TimestampState:
    """What each row chose last, ``[rows]`` each: what the grammar looks at.

    ``latest`` is the latest timestamp, or the token before the first one. Of a row that has chosen
    one token, ``before`` is taken to be a timestamp.
    """

    last: Tensor
    before: Tensor
    latest: Tensor

    @classmethod
    def of(
        cls, sampled: Sequence[Sequence[int]], timestamp_begin: int, device: torch.device
    ) -> TimestampState:
        """Of rows that have chosen these tokens, each at least one."""
        rows = [last_tokens(tokens, timestamp_begin) for tokens in sampled]
        return cls(*(torch.tensor(each, device=device) for each in zip(*rows, strict=True)))

    def rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """All tensors."""
        return self.last, self.before, self.latest

    def update(self, tokens: Tensor, timestamp_begin: int) -> None:
        """Note the tokens chosen, ``[rows]``, in place."""
        self.before.copy_(self.last)
        self.last.copy_(tokens)
        self.latest.copy_(torch.where(tokens >= timestamp_begin, tokens, self.latest))


class RuleTables:
    """What rules forbid everywhere and at first, kept on the device for those used before."""

    def __init__(self, vocabulary: int, device: torch.device) -> None:
        self.numbers = torch.arange(vocabulary, device=device)
        self._tables: dict[tuple[LogitsRules, ...], tuple[Tensor, Tensor]] = {}

    def of(self, distinct: tuple[LogitsRules, ...]) -> tuple[Tensor, Tensor]:
        """0, or minus infinity where a token is forbidden: ``[rules, vocabulary]`` each."""
        if distinct not in self._tables:
            if len(self._tables) >= _MOST_TABLES:
                self._tables.clear()
            always, first = torch.zeros(2, len(distinct), len(self.numbers))
            for place, each in enumerate(distinct):
                always[place, list(each.suppressed)] = -torch.inf
                first[place, [*each.suppressed, *each.suppressed_first]] = -torch.inf
            device = self.numbers.device
            self._tables[distinct] = always.to(device), first.to(device)
        return self._tables[distinct]


class DeviceRules:
    """The rules of some rows; ``timestamps`` says which follow the timestamp grammar.

    All rules are one checkpoint's: end of text and first timestamp are the same.
    """

    def __init__(
        self, tables: RuleTables, rules: Sequence[LogitsRules], timestamps: Sequence[bool]
    ) -> None:
        self.end_of_text = rules[0].end_of_text
        self.timestamp_begin = rules[0].timestamp_begin
        self._numbers = tables.numbers
        distinct = tuple(dict.fromkeys(rules))
        self._always, self._first = tables.of(distinct)
        initial = [_last_initial(each, len(self._numbers)) for each in rules]
        device = self._numbers.device
        self._set = torch.tensor([distinct.index(each) for each in rules], device=device)
        self._initial = torch.tensor(initial, device=device)[:, None]
        self._timed = torch.tensor(list(timestamps), device=device)[:, None]
        self._any_timed = any(timestamps)

    @property
    def key(self) -> tuple[int, bool]:
        """What a captured step depends on, besides :meth:`rows`."""
        return self._always.data_ptr(), self._any_timed

    def rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """What differs from row to row."""
        return self._set, self._initial, self._timed

    def apply_first(self, logits: Tensor) -> Tensor:
        """Filtered logits ``[rows, vocabulary]`` for the first token after the prompt."""
        logits = logits + self._first[self._set]
        if not self._any_timed:
            return logits
        forbidden = (self._numbers < self.timestamp_begin) | (self._numbers > self._initial)
        return logits.masked_fill(forbidden & self._timed, -torch.inf)

    def apply(self, logits: Tensor, state: TimestampState) -> Tensor:
        """Filtered logits ``[rows, vocabulary]`` for every later token."""
        logits = logits + self._always[self._set]
        if not self._any_timed:
            return logits
        begin, numbers = self.timestamp_begin, self._numbers
        after = state.last >= begin
        ends_text = after & (state.before < begin)
        text_from = torch.where(ends_text, self.end_of_text, 0)[:, None]
        # Timestamps come in pairs and never decrease; after a pair comes text.
        lowest = state.latest + torch.where(ends_text, 0, 1)
        times_from = torch.where(after & ~ends_text, len(numbers), lowest)[:, None]
        forbidden = (numbers < text_from) | (numbers == begin - 1)
        forbidden |= (numbers >= begin) & (numbers < times_from)
        logits = logits.masked_fill(forbidden & self._timed, -torch.inf)
        return self._prefer_timestamps(logits)

    def _prefer_timestamps(self, logits: Tensor) -> Tensor:
        """If all timestamps together are more probable than any text token, forbid the rest."""
        begin = self.timestamp_begin
        together = torch.logsumexp(logits[:, begin:], 1, keepdim=True)
        preferred = (together > logits[:, :begin].amax(1, keepdim=True)) & self._timed
        text = (self._numbers < begin) & preferred
        return logits.masked_fill(text, -torch.inf)


def _last_initial(rules: LogitsRules, vocabulary: int) -> int:
    """The last timestamp that a window may begin with."""
    most = rules.max_initial_timestamp
    return vocabulary if most is None else rules.timestamp_begin + most


def last_tokens(tokens: Sequence[int], timestamp_begin: int) -> tuple[int, int, int]:
    """What a row that has chosen these tokens puts into a :class:`TimestampState`."""
    return tokens[-1], [timestamp_begin, *tokens][-2], _latest(tokens, timestamp_begin)


def _latest(tokens: Sequence[int], timestamp_begin: int) -> int:
    times = (token for token in reversed(tokens) if token >= timestamp_begin)
    return next(times, timestamp_begin - 1)
