"""Greedy and sampled decoding on the device: the host looks at tokens every eight steps alone.

A step feeds each row's last token, filters the logits, chooses and notes the next token, all as
tensor operations. Rows are at positions of their own. Every :data:`STEPS` steps the host reads what
was chosen, and decides by :class:`quest22.decoding.token_decoders.SamplingDecoder`, as the NumPy
search does, where each window ends; rows that have ended meanwhile went on for nothing. Windows
that wait take the places of those that have ended: by the count of steps, never by a clock, so that
the same batch always runs in the same way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
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

STEPS = 8
"""Steps between two looks at what was chosen."""

LENGTH_MULTIPLE = 64
"""Rows attend to their first positions, as many as the longest has, rounded up to this."""


def runs_on_device(request: DecodeRequest, device: torch.device) -> bool:
    """Whether a request is decoded here; if not, the NumPy search does it."""
    search = request.search
    plain = search.repetition_penalty == 1.0 and not search.no_repeat_ngram_size
    if request.temperature > 0:
        return plain and device.type != "mps"  # which has no float64
    return plain and request.num_beams == 1 and not request.guesses


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


@dataclass(slots=True, eq=False)
class _Rows:
    """What rows need for their next steps, on the device."""

    grammar: TimestampState
    positions: Tensor
    rules: DeviceRules


class DeviceSearch:
    """Decodes windows of a pool whose requests have equally many rows."""

    def __init__(
        self, model: WhisperModel, pool: CrossKVPool, cache: SelfKVCache, no_speech: int
    ) -> None:
        self._model = model
        self._pool = pool
        self._cache = cache
        self._no_speech = no_speech
        self._device = model.placement.device
        self._tables = RuleTables(model.dims.vocab_size, self._device)

    def run(self, requests: Mapping[int, DecodeRequest]) -> list[DecodeResult]:
        """Continue each window's prompt to its end; results come in the order of the requests.

        Raises :class:`quest22.errors.EngineError` if logits are not finite.
        """
        windows = [_Window(number, request) for number, request in requests.items()]
        places = self._cache.windows(windows[0].request.num_beams)
        waiting = deque(windows)
        live: list[_Window] = []
        rows: _Rows | None = None
        while waiting or live:
            admitted = [waiting.popleft() for _ in range(min(places - len(live), len(waiting)))]
            if admitted:
                self._begin(admitted, len(live))
                live, rows = live + admitted, None
            if any(each.decoder.completed for each in live):
                live, rows = self._without_completed(live), None
            if live:
                rows = rows or self._rows(live)
                self._advance(live, rows)
        return [window.result() for window in windows]

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
        temperatures, uniforms = self._randomness(windows, 1)
        filtered = self._rules(windows).apply_first(logits)
        chosen = choose(filtered, temperatures, None if uniforms is None else uniforms[0])
        self._record(windows, chosen[None], log_probabilities(filtered, chosen)[None])

    def _advance(self, windows: Sequence[_Window], rows: _Rows) -> None:
        """Choose up to :data:`STEPS` tokens for every row, then look at them."""
        steps = min(STEPS, max(window.remaining for window in windows))
        temperatures, uniforms = self._randomness(windows, steps)
        first = max(window.position for window in windows)
        tokens, logprobs = [], []
        for step in range(steps):
            length = min(_rounded_up(first + step + 1), self._cache.positions)
            filtered = self._step(rows, len(windows), length)
            chosen = choose(filtered, temperatures, None if uniforms is None else uniforms[step])
            logprobs.append(log_probabilities(filtered, chosen))
            tokens.append(chosen)
            rows.grammar.update(chosen, rows.rules.timestamp_begin)
            # Rows whose window has ended may go on to the last position, and stay there.
            rows.positions.add_(1).clamp_(max=self._cache.positions - 1)
        self._record(windows, torch.stack(tokens), torch.stack(logprobs))

    def _step(self, rows: _Rows, windows: int, length: int) -> Tensor:
        """Feed every row's last token; its filtered logits ``[rows, vocabulary]``."""
        last = rows.grammar.last[:, None]
        cached, sound = slice(0, len(last)), slice(0, windows)
        x = self._model.decode(
            last, rows.positions[:, None], (self._cache, cached), (self._pool, sound), length
        )
        return rows.rules.apply(self._model.logits(x[:, -1]), rows.grammar)

    def _record(self, windows: Sequence[_Window], tokens: Tensor, logprobs: Tensor) -> None:
        """Read what was chosen, ``[steps, rows]`` each."""
        shape = (len(tokens), len(windows), -1)
        numbers, shares = tokens.reshape(shape).tolist(), logprobs.reshape(shape).cpu().numpy()
        for place, window in enumerate(windows):
            taken = len(window.decoder.sampled[0])
            window.record([step[place] for step in numbers], shares[:, place].tolist())
            # What was chosen after the end does not count.
            check_finite(shares[: len(window.decoder.sampled[0]) - taken, place])

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

    def _rows(self, windows: Sequence[_Window]) -> _Rows:
        """The state of all rows, from what the host knows of them."""
        sampled = [tokens for window in windows for tokens in window.decoder.sampled]
        positions = [window.position for window in windows for _ in window.decoder.sampled]
        rules = self._rules(windows)
        grammar = TimestampState.of(sampled, rules.timestamp_begin, self._device)
        return _Rows(grammar, torch.tensor(positions, device=self._device), rules)

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

    def _randomness(
        self, windows: Sequence[_Window], steps: int
    ) -> tuple[Tensor | None, Tensor | None]:
        """Each row's temperature, and random numbers for some steps: ``[rows]``, ``[steps, rows]``.

        They are those of the rows' own generators, in turn.
        """
        if all(window.request.temperature == 0 for window in windows):
            return None, None
        drawn = np.concatenate([window.decoder.draw(steps) for window in windows])
        rows = [window.request.temperature for window in windows for _ in window.decoder.sampled]
        temperatures = torch.tensor(rows, dtype=torch.float64, device=self._device)
        return temperatures, torch.tensor(drawn.T, device=self._device)


def _rounded_up(length: int) -> int:
    return -(-length // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
