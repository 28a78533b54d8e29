"""Oceans of speech into text: stream any audio dataset through any Whisper checkpoint.

import quest22

print(quest22.transcribe("talk.mp3", model="small").text)

for transcript in quest22.stream("org/name", "config", split="test", model="small"):
    print(transcript.key, transcript.text)
"""

from __future__ import annotations

from quest22.api import Transcriber, stream, transcribe
from quest22.errors import (
    CheckpointError,
    ClipError,
    EngineError,
    MissingExtraError,
    Quest22Error,
    SinkError,
    SourceError,
    UsageError,
)
from quest22.records import Failure, Segment, Transcript, Word
from quest22.version import __version__ as __version__

__all__ = [
    "CheckpointError",
    "ClipError",
    "EngineError",
    "Failure",
    "MissingExtraError",
    "Quest22Error",
    "Segment",
    "SinkError",
    "SourceError",
    "Transcriber",
    "Transcript",
    "UsageError",
    "Word",
    "stream",
    "transcribe",
]
