"""Which language is spoken, from the logits after ``<|startoftranscript|>``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from quest22.decoding.rules import Logits


def likeliest_language(logits: Logits, languages: Mapping[str, int]) -> tuple[str, float]:
    """The code of the likeliest language and its share among all ``languages`` (code → token).

    ``logits`` is ``[vocabulary]``; as ``detect_language`` of openai/whisper.
    """
    codes = list(languages)
    scores = logits[[languages[code] for code in codes]].astype(np.float64)
    shares = np.exp(scores - scores.max())
    best = int(shares.argmax())
    return codes[best], float(shares[best] / shares.sum())
