"""The figures of a run, from its metrics, and how they are put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quest22.metrics import Label, Metrics

RUNNING = {
    "encoder": "encoder",
    "decoder": "decoder",
    "features": "features",
    "alignment": "timing words",
    "wait_network": "waiting for the network",
    "wait_source": "waiting for the source",
    "wait_audio": "waiting for decoding",
    "longform": "cutting and joining",
    "sink": "writing",
}
"""Seconds of the thread that runs the engine; what is left of the elapsed time is ``other``."""

WAITS = {"wait_network": "the network", "wait_source": "the source", "wait_audio": "decoding"}
"""What the engine stood still for; of the elapsed time the rest is at work."""

BESIDE = {"audio": "decoding sound", "source": "reading the source"}
"""Seconds of the threads beside it: they cost nothing while the engine is not kept waiting."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A run's counts and seconds at one moment.

    ``audio_s`` is the sound of finished clips, ``heard_s`` also that of clips still open.
    ``received_bytes`` came over a network, ``sound_bytes`` is undecoded sound from wherever.
    ``retries`` are requests that were made again, by host and by what had gone wrong.
    """

    clips: int
    failures: int
    audio_s: float
    heard_s: float
    elapsed_s: float
    seconds: Mapping[str, float]
    received_bytes: float = 0.0
    sound_bytes: float = 0.0
    retries: Mapping[Label, int] = field(default_factory=dict)

    @classmethod
    def of(cls, metrics: Metrics) -> Figures:
        counts = metrics.counts()
        return cls(
            clips=int(counts.get("clips", 0)),
            failures=int(counts.get("failures", 0)),
            audio_s=counts.get("audio_s", 0.0),
            heard_s=max(counts.get("heard_s", 0.0), counts.get("audio_s", 0.0)),
            elapsed_s=metrics.elapsed_s,
            seconds=metrics.seconds(),
            received_bytes=counts.get("net_bytes", 0.0),
            sound_bytes=counts.get("bytes", 0.0),
            retries=metrics.labelled_counts("retries"),
        )

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of work for a second of sound; None before there was any sound."""
        return self.elapsed_s / self.heard_s if self.heard_s else None

    def left_s(self, total: int | None) -> float | None:
        """Seconds that the rest will take, if it goes on like this; None if nobody can tell."""
        done = self.clips + self.failures
        if not total or not done or done > total:
            return None
        return self.elapsed_s * (total - done) / done

    def spent(self) -> list[tuple[str, float]]:
        """Seconds of the engine's thread by name, largest first, adding up to the elapsed time."""
        known = [(name, self.seconds.get(key, 0.0)) for key, name in RUNNING.items()]
        rest = self.elapsed_s - sum(seconds for _, seconds in known)
        return sorted([*known, ("other", max(rest, 0.0))], key=lambda item: -item[1])

    def waits(self) -> list[tuple[str, float]]:
        """Seconds that the engine waited, by what it waited for."""
        return [(name, self.seconds.get(key, 0.0)) for key, name in WAITS.items()]

    @property
    def unhindered_s(self) -> float:
        """Seconds that the engine waited for nothing."""
        return max(self.elapsed_s - sum(seconds for _, seconds in self.waits()), 0.0)

    def beside(self) -> list[tuple[str, float]]:
        """Seconds of the other threads by name, summed over them."""
        return [(name, self.seconds.get(key, 0.0)) for key, name in BESIDE.items()]

    def shares(self) -> list[tuple[str, float]]:
        """``spent`` as parts of 1."""
        total = max(self.elapsed_s, 1e-9)
        return [(name, seconds / total) for name, seconds in self.spent()]


def clip_count(done: int, total: int | None = None) -> str:
    """``1 clip``, ``12 clips``, ``12 of 500 clips``."""
    if total is not None:
        return f"{done:,} of {total:,} clips"
    return f"{done:,} clip{'' if done == 1 else 's'}"


def speed(figures: Figures) -> str:
    """``42× real time``; ``starting`` before there was any sound."""
    factor = figures.real_time_factor
    if not factor:
        return "starting"
    times = 1 / factor
    return f"{times:.0f}× real time" if times >= 10 else f"{times:.1f}× real time"


def size(count: float) -> str:
    """``512 B``, ``3.4 MB``: bytes in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
