"""Greedy and sampled decoding on the device: the host looks at tokens every eight steps alone.

A step feeds each row's last token, filters the logits, chooses and notes the next token, all as
tensor operations. Rows are at positions of their own. Every :data:`STEPS` steps the host reads what
was chosen, and decides by :class:`quest22.decoding.token_decoders.SamplingDecoder`, as the NumPy
search does, where each window ends; rows that have ended meanwhile went on for nothing. Windows
that wait take the places of those that have ended: by the count of steps, never by a clock, so that
the same batch always runs in the same way.

Between :meth:`DeviceSearch.launch` and :meth:`DeviceSearch.advance` the device has steps to run,
and the host time for something else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from quest22.decoding.logprobs import check_finite
from quest22.decoding.search import survivors
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult, SamplingDecoder, rank
from quest22.engine.torch.cache import CrossKVPool, SelfKVCache
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.rules import DeviceRules, RuleTables, TimestampState
from quest22.engine.torch.sampling import choose, log_probabilities
from quest22.engine.torch.steps import Capture, Rows, StepRunner

STEPS = 8
"""Steps between two looks at what was chosen."""


def runs_on_device(request: DecodeRequest, device: torch.device) -> bool:
    """Whether a request is decoded here; if not, the NumPy search does it."""
    search = request.search
    plain = search.repetition_penalty == 1.0 and not search.no_repeat_ngram_size
    if request.temperature > 0:
        return plain and device.type != "mps"  # which has no float64
    return plain and request.num_beams == 1 and not request.guesses


def flows(request: DecodeRequest, device: torch.device) -> bool:
    """Whether a request takes one row and one try, so that windows can follow one another."""
    one = request.num_beams == len(request.tries) == 1
    return one and runs_on_device(request, device)


@dataclass(slots=True, eq=False)
class _Window:
    """A window in progress; ``taken`` counts the tokens chosen for it."""

    number: int
    request: DecodeRequest
    decoder: SamplingDecoder = field(init=False)
    no_speech_prob: float = 0.0
    taken: int = 0

    def __post_init__(self) -> None:
        self.decoder = SamplingDecoder(self.request)

    @property
    def position(self) -> int:
        """Where the last token chosen is fed."""
        return len(self.request.prompt.tokens) + self.taken - 1

    @property
    def remaining(self) -> int:
        return self.request.prompt.max_new_tokens - self.taken

    def record(self, tokens: list[list[int]], logprobs: list[list[float]]) -> None:
        """Note what was chosen in some steps, ``[steps][rows]``, up to where the window ends."""
        for chosen, shares in zip(tokens, logprobs, strict=True):
            if not self.decoder.completed:
                self.decoder.record(chosen, shares)
        self.taken += len(tokens)

    def result(self) -> DecodeResult:
        best = rank(self.decoder.candidates(), self.request.search.length_penalty)
        return DecodeResult(best.tokens, best.avg_logprob, self.no_speech_prob, best.logprobs)


@dataclass(slots=True)
class StepCounts:
    """What decoding took: ``steps``, the rows they were run for, and those that chose a token.

    The prompts' passes, which choose first tokens, are no steps.
    """

    steps: int = 0
    rows: int = 0
    used: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Launched:
    """Steps that the device was given, and what they choose there, a tensor of rows a step."""

    windows: Sequence[_Window]
    tokens: list[Tensor]
    logprobs: list[Tensor]


class DeviceSearch:
    """Decodes windows of a pool whose requests have equally many rows.

    ``counts`` adds up what that took.
    """

    def __init__(
        self,
        model: WhisperModel,
        pool: CrossKVPool,
        cache: SelfKVCache,
        no_speech: int,
        capture: Capture | None = None,
    ) -> None:
        """``capture`` makes graphs of steps: see :class:`StepRunner`."""
        self._model = model
        self._pool = pool
        self._cache = cache
        self._no_speech = no_speech
        self._device = model.placement.device
        self._tables = RuleTables(model.dims.vocab_size, self._device)
        self._steps = StepRunner(model, pool, cache, capture)
        self.counts = StepCounts()
        self.restart(1)

    def run(
        self,
        requests: Mapping[int, DecodeRequest],
        on_result: Callable[[int, DecodeResult], None] = lambda window, result: None,
    ) -> list[DecodeResult]:
        """Continue each window's prompt to its end; results come in the order of the requests.

        ``on_result`` is told each as soon as it is known. Raises
        :class:`quest22.errors.EngineError` if logits are not finite.
        """
        self.restart(next(iter(requests.values())).num_beams)
        self.add(requests)
        results: dict[int, DecodeResult] = {}
        while len(results) < len(requests):
            for window, result in self.advance():
                on_result(window, result)
                results[window] = result
        return [results[window] for window in requests]

    def restart(self, num_beams: int) -> None:
        """Forget all windows; those that are added have so many rows from now on."""
        self._places = self._cache.windows(num_beams)
        self._waiting: deque[_Window] = deque()
        self._live: list[_Window] = []
        self._ended: list[_Window] = []  # whose results were not given yet
        self._rows_live: Rows | None = None
        self._launched: _Launched | None = None

    def add(self, requests: Mapping[int, DecodeRequest]) -> None:
        """Windows that wait for places, after those that wait already."""
        self._waiting.extend(_Window(number, request) for number, request in requests.items())

    @property
    def can_be_full(self) -> bool:
        """Whether there are windows for all places."""
        return len(self._live) + len(self._waiting) >= self._places

    def launch(self) -> None:
        """Give the device its next steps, up to :data:`STEPS`."""
        self._settle()
        while self._waiting and (free := self._places - len(self._live)):
            admitted = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
            self._begin(admitted, len(self._live))
            self._live, self._rows_live = self._live + admitted, None
            self._leave()
        if self._live:
            self._rows_live = self._rows_live or self._rows(self._live)
            self._launched = self._steps_of(self._live, self._rows_live)

    def advance(self) -> list[tuple[int, DecodeResult]]:
        """Run the steps that were launched, or the next ones; the windows that have ended."""
        if self._launched is None:
            self.launch()
        self._settle()
        ended, self._ended = self._ended, []
        return [(window.number, window.result()) for window in ended]

    def _settle(self) -> None:
        """Look at what the steps that were launched have chosen."""
        launched, self._launched = self._launched, None
        if launched is not None:
            chosen = torch.stack(launched.tokens), torch.stack(launched.logprobs)
            self.counts.used += self._record(launched.windows, *chosen)
            self._leave()

    def _leave(self) -> None:
        """Windows that have ended leave their places."""
        ended = [each for each in self._live if each.decoder.completed]
        if ended:
            self._live, self._rows_live = self._without_completed(self._live), None
            self._ended += ended

    def _begin(self, windows: Sequence[_Window], place: int) -> None:
        """Feed the prompts of windows, which get rows from a place on, and choose a first token."""
        num_beams = windows[0].request.num_beams
        for row, window in enumerate(windows, place):
            self._pool.put(window.number, row)
        sound = slice(place, place + len(windows))
        cached = slice(sound.start * num_beams, sound.stop * num_beams)
        tokens, wanted = self._prompts(windows)
        positions = torch.arange(tokens.shape[1], device=self._device).expand_as(tokens)
        x = self._model.decode(
            tokens, positions, (self._cache, cached), (self._pool, sound), tokens.shape[1]
        )
        index = wanted[:, :, None].expand(-1, -1, x.shape[-1])
        at_start, logits = self._model.logits(x.gather(1, index)).unbind(1)
        shares = at_start.softmax(1)[::num_beams, self._no_speech].tolist()
        for window, share in zip(windows, shares, strict=True):
            window.no_speech_prob = share
        filtered = self._rules(windows).apply_first(logits)
        temperatures = self._temperatures(windows)
        uniforms = None if temperatures is None else self._uniforms(windows, 1)[0]
        chosen = choose(filtered, temperatures, uniforms)
        self._record(windows, chosen[None], log_probabilities(filtered, chosen)[None])

    def _steps_of(self, windows: Sequence[_Window], rows: Rows) -> _Launched:
        """Choose up to :data:`STEPS` tokens for every row."""
        steps = min(STEPS, max(window.remaining for window in windows))
        known = max(window.position for window in windows) + 1
        count, live = self._steps.count(len(windows), self._places), self._count_rows(windows)
        uniforms = None if rows.uniforms is None else self._uniforms(windows, steps)
        tokens, logprobs = [], []
        for step in range(steps):
            if rows.uniforms is not None and uniforms is not None:
                rows.uniforms[:live].copy_(uniforms[step])
            self._steps.run(rows, count, known + step)
            tokens.append(rows.grammar.last[:live].clone())
            logprobs.append(rows.logprobs[:live].clone())
        self.counts.steps += steps
        self.counts.rows += steps * count * (live // len(windows))
        return _Launched(windows, tokens, logprobs)

    def _record(self, windows: Sequence[_Window], tokens: Tensor, logprobs: Tensor) -> int:
        """Read what was chosen, ``[steps, rows]`` each; how many of these tokens count."""
        shape, counted = (len(tokens), len(windows), -1), 0
        numbers, shares = tokens.reshape(shape).tolist(), logprobs.reshape(shape).cpu().numpy()
        for place, window in enumerate(windows):
            taken = len(window.decoder.sampled[0])
            window.record([step[place] for step in numbers], shares[:, place].tolist())
            # What was chosen after the end does not count.
            valid = len(window.decoder.sampled[0]) - taken
            check_finite(shares[:valid, place])
            counted += valid * len(window.decoder.sampled)
        return counted

    def _without_completed(self, windows: Sequence[_Window]) -> list[_Window]:
        """The windows that go on, in the first rows; as few of them move as possible."""
        order = survivors([window.decoder.completed for window in windows])
        num_beams = windows[0].request.num_beams
        kept = [windows[index] for index in order]
        self._pool.arrange([window.number for window in kept])
        sources = [index * num_beams + row for index in order for row in range(num_beams)]
        length = max((window.position for window in kept), default=0)
        self._cache.continue_from(sources, length)
        return kept

    def _rows(self, windows: Sequence[_Window]) -> Rows:
        """The state of all rows, from what the host knows of them; places left over do nothing."""
        count = self._steps.count(len(windows), self._places)
        padded = [*windows, *[windows[0]] * (count - len(windows))]
        sampled = [tokens for window in padded for tokens in window.decoder.sampled]
        positions = [window.position for window in padded for _ in window.decoder.sampled]
        rules = self._rules(padded)
        grammar = TimestampState.of(sampled, rules.timestamp_begin, self._device)
        temperatures = self._temperatures(padded)
        rows = Rows(
            grammar,
            torch.tensor(positions, device=self._device),
            torch.zeros(len(positions), device=self._device),
            rules,
            temperatures,
            None if temperatures is None else torch.zeros_like(temperatures),
        )
        return self._steps.placed(rows)

    def _rules(self, windows: Sequence[_Window]) -> DeviceRules:
        requests = [window.request for window in windows for _ in window.decoder.sampled]
        timed = [request.prompt.timestamps for request in requests]
        return DeviceRules(self._tables, [request.rules for request in requests], timed)

    def _prompts(self, windows: Sequence[_Window]) -> tuple[Tensor, Tensor]:
        """A row's prompt, padded at its end, and where to look at logits: its start and its end.

        What is fed after the end is overwritten before anything attends to it.
        """
        prompts = [window.request.prompt for window in windows for _ in window.decoder.sampled]
        longest = max(len(prompt.tokens) for prompt in prompts)
        padded = [[*prompt.tokens, *[0] * (longest - len(prompt.tokens))] for prompt in prompts]
        wanted = [[prompt.sot_index, len(prompt.tokens) - 1] for prompt in prompts]
        both = (torch.tensor(each, device=self._device) for each in (padded, wanted))
        return next(both), next(both)

    def _temperatures(self, windows: Sequence[_Window]) -> Tensor | None:
        """Of each row, in float64; None if no row is sampled."""
        rows = [window.request.temperature for window in windows for _ in window.decoder.sampled]
        if not any(rows):
            return None
        return torch.tensor(rows, dtype=torch.float64, device=self._device)

    def _uniforms(self, windows: Sequence[_Window], steps: int) -> Tensor:
        """Random numbers of the rows' own generators, the next in turn: ``[steps, rows]``."""
        drawn = np.concatenate([window.decoder.draw(steps) for window in windows])
        return torch.tensor(np.ascontiguousarray(drawn.T), device=self._device)

    @staticmethod
    def _count_rows(windows: Sequence[_Window]) -> int:
        return sum(len(window.decoder.sampled) for window in windows)
