"""Decodes only a stretch of a recording, as manifests of long recordings ask for.

Where FFmpeg finds a time exactly, it goes there, a little early; elsewhere what comes before is
decoded and dropped, so that a stretch holds the same samples in every format.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from itertools import chain

from quest22.audio.container import Recording
from quest22.audio.frames import Frame, frames
from quest22.audio.packets import Lost, ends_run
from quest22.audio.timeline import DamageReport, Timeline
from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Clip, Damage, Samples
from quest22.settings.quantities import hours

SEEKABLE = {"wav", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
MIN_SEEK_S = 5.0
"""Nearer starts are decoded up to."""
RUN_IN_S = 2.0
"""Decoded before a stretch: codecs and resampling depend on what came before."""

_log = logging.getLogger(__name__)


def is_stretch(clip: Clip) -> bool:
    """Whether a clip is less than the whole of its media."""
    return clip.offset_s > 0 or clip.duration_s is not None


def stretch_duration_s(clip: Clip, whole_s: float | None) -> float | None:
    """How long a clip is of media of ``whole_s``, which may be unknown."""
    left_s = None if whole_s is None else max(whole_s - clip.offset_s, 0.0)
    known = [each for each in (left_s, clip.duration_s) if each is not None]
    return min(known) if known else None


def frames_from(
    recording: Recording, offset_s: float, timeline: Timeline, metrics: Metrics
) -> Iterator[Frame | Lost]:
    """The frames of a recording, of those before ``offset_s`` as few as it allows."""
    if offset_s < MIN_SEEK_S or recording.container.format.name not in SEEKABLE:
        return frames(recording, metrics)
    zero_s = timeline.zero_s(recording)
    if not _seek(recording, zero_s + offset_s - RUN_IN_S):
        return frames(recording, metrics)
    items = frames(recording, metrics)
    first = next((item for item in items if isinstance(item, Frame)), None)
    time_s = None if first is None or first.time_s is None else first.time_s - zero_s
    if first is None or time_s is None or not 0 <= time_s <= offset_s:
        _seek(recording, None)
        return frames(recording, metrics)
    timeline.begin_at(time_s)
    return chain((first,), items)


def cut(
    blocks: Iterable[Samples], clip: Clip, timeline: Timeline, report: DamageReport
) -> Iterator[Samples]:
    """The samples of the clip's stretch; the first of ``blocks`` begin where the timeline does.

    Damage outside is forgotten, and that inside counted from the start of the stretch. Raises
    ClipError if the recording ends before the stretch begins.
    """
    position = 0
    end = None if clip.duration_s is None else round(clip.duration_s * SAMPLE_RATE_HZ)
    for number, block in enumerate(blocks):
        if not number:
            position = round((timeline.started_s - clip.offset_s) * SAMPLE_RATE_HZ)
        kept = block[max(0, -position) : None if end is None else max(0, end - position)]
        position += len(block)
        if len(kept):
            yield kept
        if end is not None and position >= end:
            break
    if position <= 0 and clip.offset_s:
        length_s = clip.offset_s + position / SAMPLE_RATE_HZ
        raise ClipError(
            "audio",
            f"the recording is {hours(length_s)} long: the row begins at {hours(clip.offset_s)}",
        )
    _keep_damage(report, clip)


def _keep_damage(report: DamageReport, clip: Clip) -> None:
    start_s = clip.offset_s
    end_s = math.inf if clip.duration_s is None else start_s + clip.duration_s
    kept = [
        Damage(max(each.start_s - start_s, 0.0), min(each.end_s, end_s) - start_s, each.reason)
        for each in report.places
        if each.start_s < end_s and each.end_s > start_s
    ]
    report.places[:] = kept
    report.lost_s = min(report.lost_s, sum(each.end_s - each.start_s for each in kept))


def _seek(recording: Recording, time_s: float | None) -> bool:
    """Go to a time of the container's clock, or to its start; whether that worked."""
    container = recording.container
    start_s = recording.start_s or 0.0
    try:
        container.seek(round(1e6 * (start_s if time_s is None else max(time_s, start_s))))
    except Exception as exc:
        if ends_run(exc):
            raise
        _log.debug("a recording cannot be sought in", exc_info=True)
        return False
    return True
