"""How far the clips of a run are: for displays, and for what is said when a run stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from quest22.records import Clip, Partial
from quest22.runtime.clip_state import ClipState


@dataclass(frozen=True, slots=True)
class ClipProgress:
    """How far an open clip is, in seconds of its sound.

    ``position_s`` is how much is transcribed, ``duration_s`` what its container states, None if
    that is unknown. A ``leading`` clip is the first that is still open: its result comes next.
    """

    name: str
    position_s: float
    duration_s: float | None
    partial: Partial
    leading: bool = True


OnProgress: TypeAlias = Callable[[ClipProgress], None]


@dataclass(slots=True, eq=False)
class ProgressBoard:
    """Tells a listener how far clips are, in the run's own thread.

    Durations are noted by the threads that decode, and forgotten when the clip leaves.
    """

    listener: OnProgress
    _durations: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note_duration(self, clip: Clip, duration_s: float) -> None:
        """Note the duration that a clip's container states."""
        with self._lock:
            self._durations[clip.key] = duration_s

    def tell(self, clips: Iterable[ClipState], leading: object) -> None:
        """Tell the progress of each clip that is open and has begun."""
        for clip in clips:
            if clip.result is None and clip.processed_s:
                partial = clip.partial()
                if partial is not None:
                    self.listener(self._progress(clip, partial, leading=clip is leading))

    def forget(self, key: str) -> None:
        """A clip has left."""
        with self._lock:
            self._durations.pop(key, None)

    def _progress(self, clip: ClipState, partial: Partial, *, leading: bool) -> ClipProgress:
        # With silence skipped, windows count seconds of speech; segments lie in the clip's own.
        until_s = partial.committed[-1].end_s if partial.committed else 0.0
        with self._lock:
            duration_s = self._durations.get(clip.key)
        position_s = max(clip.processed_s, until_s)
        if duration_s is not None:
            position_s = min(position_s, duration_s)
        return ClipProgress(clip.clip.name, position_s, duration_s, partial, leading)
