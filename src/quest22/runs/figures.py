"""A run's counts and seconds at one moment: how fast it is, and where the time goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quest22.metrics import Label, Metrics

ENGINE_THREAD = (
    "encoder",
    "decoder",
    "features",
    "alignment",
    "wait_network",
    "wait_source",
    "wait_audio",
    "longform",
    "sink",
)
"""Seconds of the thread that runs the engine; the rest of the elapsed time is ``other``."""

WAITS = ("wait_network", "wait_source", "wait_audio")
"""What the engine waited for; for the rest of the elapsed time it was busy."""

OTHER_THREADS = ("audio", "source")
"""Seconds of the other threads; they cost nothing as long as the engine does not wait."""

Seconds = list[tuple[str, float]]
"""Seconds, or shares of 1, by name: see :class:`quest22.metrics.Metrics`."""


LEVELS = ("several_tracks", "cancelled_mixes", "integer_scale")


@dataclass(frozen=True, slots=True)
class Figures:
    """A run's counts and seconds at one moment.

    ``audio_s`` is the audio of finished clips; ``processed_s`` also counts windows of clips that
    are still open, and not what an earlier process transcribed. ``received_bytes`` came over a
    network, ``sound_bytes`` is encoded audio from any source. ``retries`` counts retried requests
    by host and kind of error. ``levels`` counts clips whose channels or levels had to be chosen, by
    what was.
    """

    clips: int
    failures: int
    audio_s: float
    processed_s: float
    elapsed_s: float
    seconds: Mapping[str, float]
    received_bytes: float = 0.0
    sound_bytes: float = 0.0
    retries: Mapping[Label, int] = field(default_factory=dict)
    levels: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, metrics: Metrics) -> Figures:
        counts = metrics.counts()
        newly_s = counts.get("audio_s", 0.0) - counts.get("repeated_s", 0.0)
        return cls(
            clips=int(counts.get("clips", 0)),
            failures=int(counts.get("failures", 0)),
            audio_s=counts.get("audio_s", 0.0),
            processed_s=max(counts.get("processed_s", 0.0), newly_s),
            elapsed_s=metrics.elapsed_s,
            seconds=metrics.seconds(),
            received_bytes=counts.get("net_bytes", 0.0),
            sound_bytes=counts.get("bytes", 0.0),
            retries=metrics.labelled_counts("retries"),
            levels={name: int(counts[name]) for name in LEVELS if counts.get(name)},
        )

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of work per second of audio; None before any audio was processed."""
        return self.elapsed_s / self.processed_s if self.processed_s else None

    @property
    def unhindered_s(self) -> float:
        """Seconds in which the engine did not wait."""
        return max(self.elapsed_s - sum(seconds for _, seconds in self.waits()), 0.0)

    def left_s(self, total: int | None) -> float | None:
        """Seconds that the rest will take at this speed; None if unknown."""
        done = self.clips + self.failures
        if not total or not done or done > total:
            return None
        return self.elapsed_s * (total - done) / done

    def engine_thread(self) -> Seconds:
        """Seconds of the engine's thread by part, largest first, adding up to the elapsed time."""
        known = self._named(ENGINE_THREAD)
        rest = self.elapsed_s - sum(seconds for _, seconds in known)
        return sorted([*known, ("other", max(rest, 0.0))], key=lambda item: -item[1])

    def shares(self) -> Seconds:
        """``engine_thread`` as shares of 1."""
        total = max(self.elapsed_s, 1e-9)
        return [(name, seconds / total) for name, seconds in self.engine_thread()]

    def waits(self) -> Seconds:
        """Seconds that the engine waited, by cause."""
        return self._named(WAITS)

    def other_threads(self) -> Seconds:
        """Seconds of the other threads, summed over them."""
        return self._named(OTHER_THREADS)

    def _named(self, names: tuple[str, ...]) -> Seconds:
        return [(name, self.seconds.get(name, 0.0)) for name in names]
