"""Mono sound of any rate to 16 kHz, as a stream. Knows nothing of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from quest22.records import SAMPLE_RATE_HZ, Samples

QUALITY = "HQ"
_NONE: Samples = np.zeros(0, np.float32)


class Resampler:
    """Brings mono sound to 16 kHz with soxr: fed piece by piece, then flushed once.

    The joined output equals ``soxr.resample(whole, rate_hz, 16000, quality="HQ")``: soxr's delay
    is taken off at the start and given back by :meth:`flush`.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._stream = None
        if rate_hz != SAMPLE_RATE_HZ:
            import soxr

            self._stream = soxr.ResampleStream(
                rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality=QUALITY
            )

    def feed(self, samples: Samples) -> Samples:
        """Take the next samples; give those that are ready."""
        if self._stream is None:
            return samples
        ready: Samples = self._stream.resample_chunk(samples)
        return ready

    def flush(self) -> Samples:
        """The sound has ended; give the rest."""
        if self._stream is None:
            return _NONE
        rest: Samples = self._stream.resample_chunk(_NONE, last=True)
        return rest


def to_16_khz(pieces: Iterable[tuple[int, Samples]]) -> Iterator[Samples]:
    """Resample pieces that carry their rate; a new rate begins a new stretch of sound."""
    resampler: Resampler | None = None
    for rate_hz, samples in pieces:
        if resampler is None or resampler.rate_hz != rate_hz:
            if resampler is not None:
                yield resampler.flush()
            resampler = Resampler(rate_hz)
        yield resampler.feed(samples)
    if resampler is not None:
        yield resampler.flush()


def in_blocks(pieces: Iterable[Samples], block_samples: int) -> Iterator[Samples]:
    """Cut or join pieces into blocks of one size; the last one is what is left."""
    held: list[Samples] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece)
        while count >= block_samples:
            whole = np.concatenate(held)
            yield whole[:block_samples].copy() if count > block_samples else whole
            held = [whole[block_samples:]]
            count -= block_samples
    if count:
        yield np.concatenate(held)
