"""Transcribe audio files and stream audio datasets of any size with any Whisper checkpoint.

import quest22

print(quest22.transcribe("talk.mp3", model="small").text)

for transcript in quest22.stream("org/name", "config", split="test", model="small"):
    print(transcript.key, transcript.text)

with quest22.live("small", language="en") as session:
    session.feed(samples)  # from one thread, while another iterates: for event in session

table = quest22.to_pandas(quest22.stream("org/name", "config", split="test", model="small"))

quest22.Transcriber("small").stream_to("out", "org/name", "config", split="test")

The events of a run, for ``stream_to(…, on_event=…)``, are in :mod:`quest22.runs.events`.
"""

from __future__ import annotations

from quest22.api import (
    Transcriber,
    atranscribe,
    export,
    live,
    retry,
    status,
    stream,
    transcribe,
)
from quest22.errors import (
    CheckpointError,
    ClipError,
    EngineError,
    MissingExtraError,
    Quest22Error,
    SinkError,
    SourceError,
    TooManyFailuresError,
    UsageError,
)
from quest22.records import (
    Confidence,
    DroppedSegment,
    Failure,
    LiveEvent,
    LiveWord,
    Segment,
    Transcript,
    Word,
)
from quest22.runs.export import ExportSummary
from quest22.runs.run_status import FolderStatus, RunStatus
from quest22.runs.summary import RunSummary
from quest22.runtime.live_session import LiveSession
from quest22.tables import to_arrow, to_pandas
from quest22.version import __version__ as __version__

__all__ = [
    "CheckpointError",
    "ClipError",
    "Confidence",
    "DroppedSegment",
    "EngineError",
    "ExportSummary",
    "Failure",
    "FolderStatus",
    "LiveEvent",
    "LiveSession",
    "LiveWord",
    "MissingExtraError",
    "Quest22Error",
    "RunStatus",
    "RunSummary",
    "Segment",
    "SinkError",
    "SourceError",
    "TooManyFailuresError",
    "Transcriber",
    "Transcript",
    "UsageError",
    "Word",
    "atranscribe",
    "export",
    "live",
    "retry",
    "status",
    "stream",
    "to_arrow",
    "to_pandas",
    "transcribe",
]
