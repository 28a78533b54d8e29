"""Comparisons of one window: the first 30 s of a recording, greedily and with beams."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.accuracy.parity.causes import EQUAL, NEAR_TIE, UNEXPLAINED, Outcome, TokenJudge
from benchmarks.accuracy.parity.models import Models, window_of
from benchmarks.accuracy.parity.recordings import Recording
from quest22.records import WINDOW_SAMPLES, DecodingOptions, SearchOptions

MAX_TOKENS = 224
"""In a window, as openai/whisper has it; Transformers is asked for as many."""

LOGPROB_TIE = 1e-4
"""Beams whose mean log-probabilities differ by less are as good as equal."""

PROBABILITY = 1e-3
"""Within this, probabilities of languages are equal."""


def text(models: Models, recording: Recording) -> Iterator[Outcome]:
    """Greedy text, the language detected, beside Transformers' ``generate``."""
    yield _beside_transformers(models, recording, timestamps=False)


def timestamps(models: Models, recording: Recording) -> Iterator[Outcome]:
    """Greedy text with timestamps beside Transformers' ``generate``."""
    yield _beside_transformers(models, recording, timestamps=True)


def _beside_transformers(models: Models, recording: Recording, *, timestamps: bool) -> Outcome:
    sound = recording.samples[:WINDOW_SAMPLES]
    decoding = DecodingOptions(timestamps=timestamps, max_new_tokens=MAX_TOKENS)
    heard = models.hear(window_of(sound, decoding))
    features = models.transformers_features(sound)
    expected = models.transformers.tokens(features, decoding)
    judge = TokenJudge(models, features, models.prompt(decoding, heard.language))
    return judge.outcome(recording.name, heard.tokens, expected)


def openai(models: Models, recording: Recording) -> Iterator[Outcome]:
    """Greedy text with timestamps beside openai/whisper's ``decode``, the language detected."""
    yield _beside_openai(models, recording, beams=1)


def beams(models: Models, recording: Recording) -> Iterator[Outcome]:
    """Five beams with timestamps beside openai/whisper's ``decode``."""
    yield _beside_openai(models, recording, beams=5)


def _beside_openai(models: Models, recording: Recording, beams: int) -> Outcome:
    sound = recording.samples[:WINDOW_SAMPLES]
    search = SearchOptions(beam_size=beams)
    language = models.language(None)
    decoding = DecodingOptions(language, timestamps=True, max_new_tokens=MAX_TOKENS, search=search)
    heard = models.hear(window_of(sound, decoding))
    features = models.openai_features(sound)
    asked = {"beam_size": beams} if beams > 1 else {}
    expected = models.openai.decode(features, language=language, **asked)
    judge = TokenJudge(models, features, models.prompt(decoding, heard.language))
    outcome = judge.outcome(recording.name, heard.tokens, tuple(expected.tokens))
    gap = abs(heard.avg_logprob - expected.avg_logprob)
    if outcome.cause == EQUAL or gap >= LOGPROB_TIE:
        return outcome
    detail = f"{outcome.detail}; mean log-probabilities {gap:.1e} apart"
    return Outcome(recording.name, NEAR_TIE if beams > 1 else outcome.cause, detail)


def languages(models: Models, recording: Recording) -> Iterator[Outcome]:
    """The detected language and its probability beside openai/whisper's ``detect_language``."""
    if not models.checkpoint.tokens.is_multilingual:
        return
    sound = recording.samples[:WINDOW_SAMPLES]
    heard = models.hear(window_of(sound, DecodingOptions(max_new_tokens=1)))
    shares = models.openai.language_probabilities(models.openai_features(sound))
    best = max(shares, key=shares.__getitem__)
    told = f"{heard.language} {heard.language_probability:.4f} for {best} {shares[best]:.4f}"
    same = heard.language == best
    near = abs(heard.language_probability - shares[best]) < PROBABILITY
    if same and near:
        yield Outcome(recording.name, EQUAL)
    else:
        yield Outcome(recording.name, NEAR_TIE if near else UNEXPLAINED, told)
