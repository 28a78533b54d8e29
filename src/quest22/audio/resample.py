"""Resamples streams of audio to 16 kHz, and cuts them into blocks.

Audio is mono, ``[samples]``, or ``[samples, channels]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from quest22.records import SAMPLE_RATE_HZ, Samples

QUALITY = "HQ"


class Resampler:
    """Resamples audio to 16 kHz with soxr: feed it piece by piece, then flush once.

    The joined output equals ``soxr.resample(whole, rate_hz, 16000, quality="HQ")``: soxr's delay
    is removed at the start and made up for by :meth:`flush`.
    """

    def __init__(self, rate_hz: int, like: Samples) -> None:
        """For pieces with as many channels as the piece ``like``."""
        self.rate_hz = rate_hz
        self._empty: Samples = np.zeros((0, *like.shape[1:]), np.float32)
        self._stream = None
        if rate_hz != SAMPLE_RATE_HZ:
            import soxr

            self._stream = soxr.ResampleStream(
                rate_hz,
                SAMPLE_RATE_HZ,
                1 if like.ndim == 1 else like.shape[1],
                dtype="float32",
                quality=QUALITY,
            )

    def feed(self, samples: Samples) -> Samples:
        """Take the next samples; return those that are ready."""
        if self._stream is None:
            return samples
        ready: Samples = self._stream.resample_chunk(samples)
        return ready

    def flush(self) -> Samples:
        """End the stream; return the rest."""
        if self._stream is None:
            return self._empty
        rest: Samples = self._stream.resample_chunk(self._empty, last=True)
        return rest


def to_16_khz(pieces: Iterable[tuple[int, Samples]]) -> Iterator[Samples]:
    """Resample pieces with their rates in Hz; at a new rate the resampler starts over."""
    resampler: Resampler | None = None
    for rate_hz, samples in pieces:
        if resampler is None or resampler.rate_hz != rate_hz:
            if resampler is not None:
                yield resampler.flush()
            resampler = Resampler(rate_hz, samples)
        yield resampler.feed(samples)
    if resampler is not None:
        yield resampler.flush()


def in_blocks(pieces: Iterable[Samples], block_samples: int) -> Iterator[Samples]:
    """Cut or join pieces into blocks of one size; the last one may be shorter."""
    pending: list[Samples] = []
    count = 0
    for piece in pieces:
        pending.append(piece)
        count += len(piece)
        while count >= block_samples:
            whole = np.concatenate(pending)
            yield whole[:block_samples].copy() if count > block_samples else whole
            pending = [whole[block_samples:]]
            count -= block_samples
    if count:
        yield np.concatenate(pending)
