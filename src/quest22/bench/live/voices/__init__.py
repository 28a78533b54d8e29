"""Free voices that tell exactly when each word ends: speech whose truth is known.

The synthesisers are libraries of the system (``apt-get install flite espeak-ng``), opened with
ctypes when a voice speaks; without them, the other or recordings can be played.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from quest22.bench.live.voices import espeak, flite
from quest22.bench.live.voices.spoken import Spoken
from quest22.errors import UsageError

Voice: TypeAlias = Callable[[str], Spoken]
"""Says a sentence; raises :class:`quest22.errors.UsageError` without its synthesiser."""

VOICES: dict[str, Voice] = {
    **{f"flite:{name}": partial(flite.speak, voice=name) for name in flite.VOICES},
    "espeak:en-us": partial(espeak.speak, voice="en-us"),
    "espeak:en-gb": partial(espeak.speak, voice="en"),
}


def voice_named(name: str) -> Voice:
    """Raises :class:`UsageError` for a voice that does not exist."""
    if name not in VOICES:
        raise UsageError(f"unknown voice {name!r}: expected {', '.join(VOICES)}")
    return VOICES[name]
