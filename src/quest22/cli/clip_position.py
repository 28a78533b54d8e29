"""How far the open clip of a run is, in words."""

from __future__ import annotations

from quest22.cli.figures import clip_count, speed
from quest22.runs.figures import Figures
from quest22.runtime.progress import ClipProgress
from quest22.settings.quantities import hours

LONG_S = 60.0
"""Among several clips, only those longer than this are shown one by one."""


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


def stopped_line(at: ClipProgress, done: int, *, kept: bool) -> str:
    """Where a run was stopped, and how to go on; ``kept``: the same command does."""
    after = f"after {clip_count(done)}, " if done else ""
    then = (
        "the same command goes on from there"
        if kept
        else "with -o FOLDER, the same command would go on from there"
    )
    return f"stopped {after}at {position(at)} of {at.name}; {then}"
