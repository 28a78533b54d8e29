"""A decoder that foreign media may crash once: the next process decodes them apart."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator

import numpy as np

from quest22.audio.decoding_notes import DecodingNotes
from quest22.protocols import AudioDecoder
from quest22.records import Audio, Clip, Samples

logger = logging.getLogger(__name__)


class GuardedDecoder:
    """Notes which clips it decodes; those with which earlier processes died go ``apart``."""

    def __init__(self, decoder: AudioDecoder, apart: AudioDecoder, notes: DecodingNotes) -> None:
        self._decoder = decoder
        self._apart = apart
        self._notes = notes

    def decode(self, clip: Clip) -> Audio:
        """As both decoders do; the blocks are the same."""
        if isinstance(clip.media, np.ndarray):
            return self._decoder.decode(clip)
        if self._notes.is_suspect(clip):
            logger.info("%s: was being decoded when the last run died: decoded apart", clip.name)
            return self._apart.decode(clip)
        audio = self._decoder.decode(clip)
        return Audio(clip, self._noted(clip, audio.blocks), audio.damage)

    def _noted(self, clip: Clip, blocks: Iterator[Samples]) -> Iterator[Samples]:
        try:
            while True:
                with self._notes.decoding(clip):
                    block = next(blocks, None)
                if block is None:
                    return
                yield block
        finally:
            if isinstance(blocks, Generator):
                with self._notes.decoding(clip):
                    blocks.close()
