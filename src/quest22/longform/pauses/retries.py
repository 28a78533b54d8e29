"""Decodes windows again whose hypotheses are not trusted, and keeps the best of all tries.

A later try is no better for being later: the last temperature of openai/whisper's fallback may give
worse text than the first. The best is chosen by sanity, then by mean log-probability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from quest22.longform.pauses.procedures import Procedure
from quest22.longform.pauses.trust import Trust
from quest22.records import DecodingOptions, Hypothesis, Window

ALTERNATIVES = 2
MIN_LANGUAGE_PROBABILITY = 0.04
CERTAIN_LANGUAGE = 0.75
"""Below this a clip is also decoded in the next ``ALTERNATIVES`` languages."""

Attempt = Callable[[DecodingOptions], DecodingOptions]


@dataclass(frozen=True, slots=True)
class Retries:
    """What is tried, in this order: beams, timestamps the other way, then temperatures.

    ``temperatures`` are above 0; at each, the best of ``best_of`` samples counts.
    """

    trust: Trust
    beam_size: int
    temperatures: tuple[float, ...]
    best_of: int

    def improve(
        self, windows: Sequence[Window], hypotheses: Sequence[Hypothesis]
    ) -> Procedure[list[Hypothesis]]:
        """The best hypothesis of each window, after further tries where it is not trusted."""
        best = list(hypotheses)
        for attempt in self._attempts():
            doubtful = [at for at, each in enumerate(best) if self._is_doubtful(windows[at], each)]
            changed = [(at, self._again(windows[at], best[at], attempt)) for at in doubtful]
            tries = [(at, window) for at, window in changed if window is not None]
            if not tries:
                continue
            tried = yield [window for _, window in tries]
            for (at, window), hypothesis in zip(tries, tried, strict=True):
                duration_s = window.duration_s
                if self.trust.rank(hypothesis, duration_s) > self.trust.rank(best[at], duration_s):
                    best[at] = replace(
                        hypothesis, language_probability=best[at].language_probability
                    )
        return best

    def in_other_languages(self, window: Window, hypothesis: Hypothesis) -> Procedure[Hypothesis]:
        """The best hypothesis of a clip whose language is in doubt."""
        duration_s = window.duration_s
        certain = hypothesis.language_probability >= CERTAIN_LANGUAGE
        if certain and self.trust.is_trusted(hypothesis, duration_s):
            return hypothesis
        others = [
            (language, probability)
            for language, probability in hypothesis.languages[1 : 1 + ALTERNATIVES]
            if probability >= MIN_LANGUAGE_PROBABILITY
        ]
        if not others:
            return hypothesis
        tried = yield [in_language(window, language) for language, _ in others]
        candidates = [(hypothesis, hypothesis.language_probability)]
        candidates += [
            (replace(each, language_probability=probability), probability)
            for each, (_, probability) in zip(tried, others, strict=True)
        ]
        best, _ = max(
            candidates, key=lambda pair: self.trust.rank_in_language(pair[0], pair[1], duration_s)
        )
        return best

    def _is_doubtful(self, window: Window, hypothesis: Hypothesis) -> bool:
        return not self.trust.is_trusted(hypothesis, window.duration_s)

    def _again(self, window: Window, best: Hypothesis, attempt: Attempt) -> Window | None:
        """The window with other options; None if it has been decoded like that."""
        decoding = attempt(replace(window.decoding, language=best.language))
        done = self._decoded(window, best)
        return None if decoding == done else replace(window, decoding=decoding)

    def _decoded(self, window: Window, hypothesis: Hypothesis) -> DecodingOptions:
        """How the window was decoded at first: with beams, if greedy decoding was not enough."""
        decoding = replace(window.decoding, language=hypothesis.language)
        greedy_logprob = decoding.search.greedy_logprob
        if (
            decoding.temperature > 0
            or greedy_logprob is None
            or hypothesis.avg_logprob >= greedy_logprob
        ):
            return decoding
        return in_full(replace(decoding, search=replace(decoding.search, greedy_logprob=None)))

    def _attempts(self) -> Iterator[Attempt]:
        yield self._with_beams
        yield lambda each: self._with_beams(replace(each, timestamps=not each.timestamps))
        for temperature in self.temperatures:
            yield partial(self._sampled, temperature)

    def _sampled(self, temperature: float, decoding: DecodingOptions) -> DecodingOptions:
        search = replace(decoding.search, best_of=self.best_of)
        return in_full(replace(decoding, temperature=temperature, search=search))

    def _with_beams(self, decoding: DecodingOptions) -> DecodingOptions:
        if decoding.temperature > 0:
            return in_full(decoding)  # of samples, not of beams
        beam_size = max(self.beam_size, decoding.search.beam_size)
        search = replace(decoding.search, beam_size=beam_size, greedy_logprob=None)
        return in_full(replace(decoding, search=search))


def in_full(decoding: DecodingOptions) -> DecodingOptions:
    """The options with all of a window's context."""
    return replace(decoding, audio_context="full")


def in_language(window: Window, language: str | None) -> Window:
    """The window, to be decoded in a language."""
    return replace(window, decoding=replace(window.decoding, language=language))
