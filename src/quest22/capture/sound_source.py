"""What every source of spoken sound is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from quest22.records import Samples


@dataclass(frozen=True, slots=True, eq=False)
class LiveSound:
    """Sound of one place as it is spoken: mono, 16 kHz, blocks of at most 100 ms.

    Taking a block waits for it. Raises :class:`quest22.errors.ClipError` where the sound breaks off
    or cannot be read. ``channel`` is its number if each channel is a sound of its own.
    """

    name: str
    blocks: Iterator[Samples]
    channel: int | None = None


class SoundSource(Protocol):
    """A microphone, a pipe, a recording, or a port where clients connect."""

    @property
    def title(self) -> str:
        """What is heard, in a few words."""
        ...

    def sounds(self) -> Iterator[LiveSound]:
        """One sound; or those of the clients, as they come, which are heard side by side.

        Ends when the source's ``stop`` is set, and so do the sounds.
        """
        ...

    def close(self) -> None:
        """Free what it holds, once its sounds have ended."""
        ...
