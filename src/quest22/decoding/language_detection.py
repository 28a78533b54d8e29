"""Detects a window's language from the logits after ``<|startoftranscript|>``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quest22.decoding.logprobs import Logits, softmax
from quest22.errors import UsageError
from quest22.records import DetectionOptions

TOP_LANGUAGES = 5


@dataclass(frozen=True, slots=True)
class DetectedLanguage:
    """A window's language with its probability from 0 to 1.

    ``top_languages`` are the five most probable with their probabilities, best first; empty if the
    language was given. ``language`` is None for an English-only checkpoint.
    """

    language: str | None
    probability: float
    top_languages: tuple[tuple[str, float], ...] = ()


def detect_language(
    logits: Logits, known: Mapping[str, int], options: DetectionOptions
) -> DetectedLanguage:
    """The language of one window by its ``logits [n]``.

    ``known`` says for each language code of the checkpoint which of the logits is its token's. The
    probabilities are a softmax over the languages considered, as in ``detect_language`` of
    openai/whisper. Raises :class:`UsageError` for a language that the checkpoint does not support.
    """
    codes = _considered(known, options)
    shares = softmax(logits[[known[code] for code in codes]].astype(np.float64))
    order = np.argsort(-shares, kind="stable")
    best = codes[order[0]]
    if options.fallback and shares[order[0]] < options.threshold:
        best = options.fallback
    probability = float(shares[codes.index(best)]) if best in codes else 0.0
    top = tuple((codes[index], float(shares[index])) for index in order[:TOP_LANGUAGES])
    return DetectedLanguage(best, probability, top)


def _considered(known: Mapping[str, int], options: DetectionOptions) -> list[str]:
    named = (*options.languages, *filter(None, [options.fallback]))
    unknown = next((code for code in named if code not in known), None)
    if unknown is not None:
        raise UsageError(
            f"the model does not know the language {unknown!r}: expected some of "
            + (", ".join(known) if len(known) < 99 else "Whisper's")
        )
    return list(dict.fromkeys(options.languages)) or list(known)
