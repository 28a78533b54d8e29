"""Which language is spoken, from the logits after ``<|startoftranscript|>``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quest22.decoding.logits_rules import Logits
from quest22.errors import UsageError
from quest22.records import DetectionOptions

KEPT = 5


@dataclass(frozen=True, slots=True)
class DetectedLanguage:
    """A window's language with its probability, and the likeliest ones if it was detected."""

    language: str | None
    probability: float
    likeliest: tuple[tuple[str, float], ...] = ()


def detect_language(
    logits: Logits, known: Mapping[str, int], detection: DetectionOptions
) -> DetectedLanguage:
    """The language of one window by its ``logits [vocabulary]``.

    ``known`` are the checkpoint's languages, code → token. The probabilities are shares among the
    languages considered, as in ``detect_language`` of openai/whisper. Raises :class:`UsageError`
    for a language that the checkpoint does not know.
    """
    codes = _considered(known, detection)
    scores = logits[[known[code] for code in codes]].astype(np.float64)
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")
    best = codes[order[0]]
    if detection.fallback and shares[order[0]] < detection.threshold:
        best = detection.fallback
    probability = float(shares[codes.index(best)]) if best in codes else 0.0
    likeliest = tuple((codes[place], float(shares[place])) for place in order[:KEPT])
    return DetectedLanguage(best, probability, likeliest)


def _considered(known: Mapping[str, int], detection: DetectionOptions) -> list[str]:
    named = (*detection.languages, *filter(None, [detection.fallback]))
    unknown = next((code for code in named if code not in known), None)
    if unknown is not None:
        raise UsageError(
            f"the model does not know the language {unknown!r}: expected some of "
            + (", ".join(known) if len(known) < 99 else "Whisper's")
        )
    return list(dict.fromkeys(detection.languages)) or list(known)
