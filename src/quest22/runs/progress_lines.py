"""How far a run is, in words: for displays of the command line and of Python."""

from __future__ import annotations

from quest22.runs.figures import Figures
from quest22.runtime.progress import ClipProgress
from quest22.settings.quantities import hours

LONG_S = 60.0
"""Among several clips, only those longer than this are shown one by one."""


def progress_line(
    figures: Figures, total: int | None = None, at: ClipProgress | None = None
) -> str:
    """``12 of 500 clips (1 failed) · 0.35 h of audio · 42× real time · 20 min left``.

    ``at`` is where the open clip is, for a run over a single clip or a few long ones.
    """
    if total == 1 and at is not None:
        return single_clip_line(at, figures)
    done = clip_count(figures.clips, total)
    failed = f" ({figures.failures} failed)" if figures.failures else ""
    left_s = figures.left_s(total)
    left = f" · {hours(left_s)} left" if left_s else ""
    done += failed + several_clips_part(at)
    return f"{done} · {hours(figures.processed_s)} of audio · {speed(figures)}{left}"


def clip_count(done: int, total: int | None = None) -> str:
    """``1 clip``, ``12 clips``, ``12 of 500 clips``, ``0 of 1 clip``."""
    if total is not None:
        return f"{done:,} of {total:,} clip{'' if total == 1 else 's'}"
    return f"{done:,} clip{'' if done == 1 else 's'}"


def work_count(units: int, files: int) -> str:
    """``340 units of work in 2 data files``."""
    work = f"{units:,} unit{'' if units == 1 else 's'} of work"
    return f"{work} in {files:,} data file{'' if files == 1 else 's'}"


def published_line(transcripts: int, failures: int, units: int, planned: int) -> str:
    """``4,512 clips and 3 failed, 12 of 340 units``: what a cluster's dataset on the Hub has."""
    failed = f" and {failures:,} failed" if failures else ""
    return f"{clip_count(transcripts)}{failed}, {units:,} of {planned:,} units"


def speed(figures: Figures) -> str:
    """``42× real time``; ``starting`` before any audio was processed."""
    factor = figures.real_time_factor
    if not factor:
        return "starting"
    return times_real_time(1 / factor)


def times_real_time(times: float) -> str:
    """``42× real time``; tenths below ten."""
    return f"{times:.0f}× real time" if times >= 10 else f"{times:.1f}× real time"


def clock(seconds: float) -> str:
    """``03:20``, ``1:02:10``: a time in a recording."""
    minutes, rest_s = divmod(int(seconds), 60)
    full_hours, minutes = divmod(minutes, 60)
    return (
        f"{full_hours}:{minutes:02d}:{rest_s:02d}" if full_hours else f"{minutes:02d}:{rest_s:02d}"
    )


def position(at: ClipProgress) -> str:
    """``03:20 of 1:02:10``; ``03:20`` if the length is unknown."""
    of = "" if at.duration_s is None else f" of {clock(at.duration_s)}"
    return f"{clock(at.position_s)}{of}"


def single_clip_line(at: ClipProgress, figures: Figures) -> str:
    """``03:20 of 1:02:10 · 14× real time · 4.2 min left``: the progress of a run over one clip."""
    factor = figures.real_time_factor
    left = ""
    if factor and at.duration_s is not None and at.duration_s > at.position_s:
        left = f" · {hours((at.duration_s - at.position_s) * factor)} left"
    return f"{position(at)} · {speed(figures)}{left}"


def several_clips_part(at: ClipProgress | None) -> str:
    """`` · talk.mp3 at 03:20 of 1:02:10``: where the open clip is, if it is a long one."""
    if at is None or max(at.position_s, at.duration_s or 0.0) <= LONG_S:
        return ""
    return f" · {at.name} at {position(at)}"
