"""What all sessions with the same settings share."""

from __future__ import annotations

from dataclasses import dataclass

from quest22.longform.live.commit import CommitPolicy
from quest22.longform.live.context import ContextRules
from quest22.longform.live.endpointing import EndpointRules
from quest22.longform.live.guards import Guards
from quest22.longform.pauses.quality import Quality
from quest22.longform.policy import DecodingPolicy
from quest22.records import AudioContext


@dataclass(frozen=True, slots=True, eq=False)
class LiveRules:
    """The rules of a session; lengths are in seconds.

    ``language`` None: each segment's is detected. ``audio_context`` is how much of a window is
    encoded. ``pre_roll_s``: sound before the first frame of speech, as the detector misses soft
    beginnings. ``voice_events``: tell where speech starts and stops.
    """

    policy: DecodingPolicy
    guards: Guards
    language: str | None
    commit: CommitPolicy
    endpoints: EndpointRules
    context: ContextRules
    step_s: float
    max_segment_s: float
    history_s: float
    audio_context: AudioContext
    quality: Quality
    voice_events: bool
    pre_roll_s: float
