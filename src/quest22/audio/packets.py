"""The packets of a recording, read on behind errors and holes. Decodes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quest22.audio.container import Recording
from quest22.errors import Quest22Error

if TYPE_CHECKING:
    from av.packet import Packet

MAX_UNREADABLE = 20_000
"""Errors in a row, without one packet between them, after which a container is given up."""
MAX_UNREADABLE_BYTES = 1 << 28
HOLE_BYTES, HOLE_S = 512, 0.05
"""Where more bytes than a container needs and more time lie between two packets, some are lost."""
LOST_SHARE = 0.25
"""Lost sound left at least so much of its bytes behind; a pause in a stream leaves tables only."""

UNREADABLE = "the file is damaged"


@dataclass(frozen=True, slots=True)
class Lost:
    """A place where sound is missing: ``seconds`` of it, as far as the container says so."""

    seconds: float
    reason: str


def packets(recording: Recording) -> Iterator[Packet[Any] | Lost]:
    """The stream's packets; behind an error the container is read on from where it stands."""
    reader, errors, bytes_before = recording.reader, 0, recording.reader.bytes
    holes = _Holes(recording)
    while errors < MAX_UNREADABLE and reader.bytes - bytes_before < MAX_UNREADABLE_BYTES:
        try:
            for packet in recording.container.demux(recording.stream):
                errors, bytes_before = 0, reader.bytes
                if holes.leads_to(packet):
                    yield Lost(0.0, UNREADABLE)
                yield packet
        except IndexError:  # how PyAV ends where a stream was found on the way
            return
        except Exception as exc:
            if ends_run(exc):
                raise
            reader.check()
        else:
            return
        if not errors:
            yield Lost(0.0, UNREADABLE)
        errors += 1


class _Holes:
    """Finds bytes that a demuxer passes over without a word, where their time is missing too."""

    def __init__(self, recording: Recording) -> None:
        self._is_alone = len(recording.container.streams) == 1
        self._tick_s = float(recording.stream.time_base or 0)
        self._end: tuple[int, int] | None = None
        self._bytes = self._ticks = 0

    def leads_to(self, packet: Packet[Any]) -> bool:
        """Whether there is a hole before this packet; it was read after the others."""
        before, self._end = self._end, None
        bytes_a_tick = self._bytes / self._ticks if self._ticks else 0.0
        self._bytes += packet.size
        self._ticks += packet.duration or 0
        if packet.pos is None or packet.pts is None or not self._is_alone:
            return False
        self._end = (packet.pos + packet.size, packet.pts + (packet.duration or 0))
        if before is None:
            return False
        late = packet.pts - before[1]
        least_bytes = HOLE_BYTES + LOST_SHARE * bytes_a_tick * late
        return packet.pos - before[0] > least_bytes and late * self._tick_s > HOLE_S


def ends_run(error: Exception) -> bool:
    """Whether an error is no damage: our own, or memory that has run out.

    FFmpeg tells of that too, but where a damaged size asks for more than there is.
    """
    import av

    is_memory = isinstance(error, MemoryError) and not isinstance(error, av.error.FFmpegError)
    return is_memory or isinstance(error, Quest22Error)
