"""Log-mel features in plain NumPy: what :class:`quest22.audio.log_mel.LogMel` is compared with."""

from __future__ import annotations

import numpy as np

from quest22.audio.log_mel import Features, log10_mel, normalize
from quest22.records import WINDOW_SAMPLES, Samples


def log_mel(samples: Samples, n_mels: int = 80) -> Features:
    """Features of one window of up to 30 s, padded with silence: ``[n_mels, 3000]``."""
    return normalize(log10_mel(_padded_window(samples), n_mels))


def _padded_window(samples: Samples) -> Samples:
    """The samples padded with silence, ``[480000]``."""
    window = np.zeros(WINDOW_SAMPLES, np.float32)
    window[: len(samples)] = samples[:WINDOW_SAMPLES]
    return window
