"""Amplifies faint sound for the voice detector, which misses speech below −50 dB of full scale.

Only the detector hears it louder: the model's features do not depend on the level.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quest22.protocols import SpeechProbabilities
from quest22.records import VAD_FRAME_SAMPLES, Samples

LEVEL = np.float32(1e-4)
"""Samples this near to a straight line through their frame are no sound: −80 dB of full scale,
three steps of 16 bits. Offsets, their drift, dither and digital silence stay below; speech that is
no louder is not intelligible in 16 bits."""

FAINT = 10 ** (-50 / 20)
USUAL_LEVEL = 0.2
BLOCK_SAMPLES = 256 * VAD_FRAME_SAMPLES
"""Sound is amplified in blocks of 8 s."""


def level_of(samples: Samples) -> float:
    """The level of a block, of full scale 1; a click does not count."""
    return float(np.quantile(np.abs(samples), 0.999)) if len(samples) else 0.0


def amplified(samples: Samples, level: float) -> Samples:
    """Samples whose ``level`` is low as loud as the detector needs them; others as they are."""
    if not LEVEL < level < USUAL_LEVEL:
        return samples
    louder: Samples = np.clip(samples * np.float32(USUAL_LEVEL / level), -1.0, 1.0)
    return louder


class FaintSpeech:
    """The speech probabilities of a clip that is amplified as long as it is faint throughout.

    After its first loud block nothing is: what is faint there, such as the other party of a call,
    is background.
    """

    def __init__(self, probabilities: SpeechProbabilities) -> None:
        self._probabilities = probabilities
        self._pending = np.empty(0, np.float32)
        self._loudest = 0.0

    def feed(self, samples: Samples) -> NDArray[np.float32]:
        """Take the next block, ``[samples]``; return complete frames: ``[frames]``."""
        self._pending = np.concatenate((self._pending, samples))
        heard = [np.empty(0, np.float32)]
        while len(self._pending) >= BLOCK_SAMPLES:
            heard.append(self._hear(self._pending[:BLOCK_SAMPLES]))
            self._pending = self._pending[BLOCK_SAMPLES:]
        return np.concatenate(heard)

    def flush(self) -> NDArray[np.float32]:
        """The rest of the frames."""
        rest = self._hear(self._pending)
        self._pending = self._pending[:0]
        return np.concatenate((rest, self._probabilities.flush()))

    def _hear(self, samples: Samples) -> NDArray[np.float32]:
        if self._loudest < FAINT:
            self._loudest = max(self._loudest, level_of(samples))
        is_faint = self._loudest < FAINT
        return self._probabilities.feed(amplified(samples, self._loudest) if is_faint else samples)
