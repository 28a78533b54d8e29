"""What is wrong with the levels of a recording is mended as it is mixed to mono, and told once."""

from __future__ import annotations

import logging
from typing import Any

from numpy.typing import NDArray

from quest22.audio.integer_scale import IntegerScale
from quest22.audio.mixing import Mixer
from quest22.metrics import Metrics
from quest22.records import Clip, Samples

logger = logging.getLogger(__name__)


class Levels:
    """The levels of one recording: see :class:`IntegerScale` and :class:`Mixer`."""

    def __init__(self) -> None:
        self._scale = IntegerScale()
        self._mixer = Mixer()

    def mono(self, values: NDArray[Any]) -> Samples:
        """The mix of a piece, ``[channels, samples]``: float with full scale ±1, or as it was."""
        return self._mixer.mix(self.to_unit(values))

    def to_unit(self, values: NDArray[Any]) -> NDArray[Any]:
        """A piece, ``[channels, samples]``: floats with full scale ±1, integers as they are."""
        return self._scale.to_unit(values) if values.dtype.kind == "f" else values

    def report(self, clip: Clip, metrics: Metrics) -> None:
        """Log and count what was mended, after the last piece."""
        if self._scale.found:
            metrics.count("integer_scale")
            logger.warning(
                "%s: its float samples reach far beyond 1: they are taken for integers and "
                "divided by %.0f",
                clip.name,
                self._scale.full_scale,
            )
        if self._mixer.cancels:
            metrics.count("cancelled_mixes")
            logger.warning(
                "%s: its channels cancel each other when they are mixed: where they do, the "
                "loudest is transcribed; --channel chooses one",
                clip.name,
            )
