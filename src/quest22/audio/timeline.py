"""Puts decoded frames where the media's clock wants them: late sound and gaps become silence.

The clock counts from the start of the media, which is the picture's too. It is followed where it
goes on as clocks do: timestamps that jump too far or back again (the 33 bits of MPEG-TS that wrap,
damaged numbers, recordings joined to one) are ignored, and the sound goes on where it is. Knows
no codec.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from quest22.audio.container import Recording
from quest22.audio.frames import Frame
from quest22.audio.packets import UNREADABLE, Lost
from quest22.audio.raw_streams import RAW_STREAMS
from quest22.records import Damage

TOLERANCE_S = 0.1
"""Differences up to this are left alone: encoders' delays, rounded timestamps."""
STEP_BACK_S = 1.0
"""Where timestamps go back by more than this, another clock has begun."""
FARTHEST_JUMP_S = 600.0
"""The longest gap that is filled where the container does not state its own duration."""
FARTHEST_STATED_JUMP_S = 3600.0
MOST_SILENCE_S = 4 * 3600.0
"""The most silence that a clip is filled with, however many gaps it has."""
LATEST_START_S = 60.0
"""Sound alone that starts later by a clock from zero was cut from a longer recording."""
WITHOUT_GAPS = {"flac", "wv", "tta", "ape", "wav", "aiff", "caf", "w64"}
"""Formats that hold one uninterrupted sound: what is missing of it was lost."""
MOST_PLACES = 500
CUT_OFF = "the file ends early"
PLAIN_PCM = {"aiff", "au", "caf", "w64"}

CLOCK_FROM_ZERO = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
"""Formats whose clock starts at zero, and which state their duration; others start anywhere."""
WITHOUT_CLOCK = {"avi"} | RAW_STREAMS
"""Formats without timestamps. FFmpeg counts them from bytes in AVI, where they drift if the bit
rate varies, and from packets in raw streams."""


@dataclass(frozen=True, slots=True)
class Silence:
    """So much silence, at the rate of the frame that follows."""

    samples: int
    rate_hz: int


class DamageReport:
    """The places of a clip where sound is missing, and how much is; filled while it is decoded."""

    def __init__(self, places: list[Damage]) -> None:
        self.places = places
        self.lost_s = 0.0

    def add(self, start_s: float, end_s: float, reason: str) -> None:
        """Add a place behind the others; joined with the last one if it touches that.

        A place of which nobody knew the length gets that of the one that touches it.
        """
        self.lost_s += end_s - start_s
        last = self.places[-1] if self.places else None
        near = last is not None and start_s - last.end_s < TOLERANCE_S
        if last is not None and (
            len(self.places) >= MOST_PLACES
            or (near and (last.reason == reason or last.start_s == last.end_s))
        ):
            self.places[-1] = Damage(last.start_s, end_s, last.reason)
        else:
            self.places.append(Damage(start_s, end_s, reason))


class Timeline:
    """The times of a clip's frames. Several recordings may follow each other on it."""

    def __init__(self, report: DamageReport) -> None:
        self._report = report
        self.position_s = 0.0
        self._silence_s = 0.0
        self.started_s = 0.0

    @staticmethod
    def zero_s(recording: Recording) -> float:
        """Where the recording's clock stands at the start of the media."""
        return _start_s(recording) or 0.0

    def begin_at(self, time_s: float) -> None:
        """Begin later than at the start of the media, with the first frame that comes."""
        self.position_s = self.started_s = time_s

    def place(
        self, items: Iterable[Frame | Lost], recording: Recording
    ) -> Iterator[Frame | Silence]:
        """The frames of a recording with silence between them where sound is missing."""
        clock = _Clock(recording, is_first=self.position_s == 0.0)
        held: tuple[Frame, Lost | None] | None = None
        lost: Lost | None = None
        for item in items:
            if isinstance(item, Lost):
                lost = item if lost is None else Lost(lost.seconds + item.seconds, lost.reason)
                continue
            if held is not None:
                yield from self._placed(*held, clock, item.time_s)
            held, lost = (item, lost), None
        if held is not None:
            yield from self._placed(*held, clock, None)
        if lost is not None:
            self._report.add(self.position_s, self.position_s + lost.seconds, lost.reason)

    def note(self, reason: str) -> None:
        """Report that sound is missing here; nobody knows how much."""
        self._report.add(self.position_s, self.position_s, reason)

    def end(self, recording: Recording) -> None:
        """Report what a recording is shorter than its header states.

        Writers of plain PCM often state too much, so that counts as no loss.
        """
        duration_s = recording.header_duration_s
        start_s = max([self.position_s, *(each.end_s for each in self._report.places[-1:])])
        if duration_s is not None and self.position_s > 0.0 and start_s < duration_s - TOLERANCE_S:
            self._report.add(start_s, duration_s, CUT_OFF)
            if recording.container.format.name in PLAIN_PCM or recording.wav is not None:
                self._report.lost_s -= duration_s - start_s

    def _placed(
        self, frame: Frame, lost: Lost | None, clock: _Clock, following_s: float | None
    ) -> Iterator[Frame | Silence]:
        gap_s = clock.gap_s(frame, self.position_s, following_s)
        if lost is not None:
            gap_s = min(lost.seconds, FARTHEST_JUMP_S) if gap_s is None else max(gap_s, 0.0)
        elif gap_s is None or gap_s <= TOLERANCE_S:
            gap_s = 0.0
        elif clock.has_no_gaps:
            lost = Lost(gap_s, UNREADABLE)
        gap_s = min(gap_s, max(MOST_SILENCE_S - self._silence_s, 0.0))
        self._silence_s += gap_s
        rate_hz = frame.layout.rate_hz
        samples = round(gap_s * rate_hz)
        end_s = self.position_s + samples / rate_hz
        if lost is not None:
            self._report.add(self.position_s, end_s, lost.reason)
        if samples:
            yield Silence(samples, rate_hz)
        yield frame
        self.position_s = end_s + frame.duration_s


class _Clock:
    """A recording's clock. ``_ahead_s`` is how far it is ahead of the clip's positions.

    None: it is taken from the next frame, which goes on where the sound is.
    """

    def __init__(self, recording: Recording, *, is_first: bool) -> None:
        container = recording.container
        self._is_known = container.format.name not in WITHOUT_CLOCK
        self.has_no_gaps = container.format.name in WITHOUT_GAPS
        self._states_duration = container.format.name in CLOCK_FROM_ZERO
        self._ahead_s = _start_s(recording) if is_first else None
        self._end_of_media_s = _end_s(recording, self._ahead_s or 0.0)
        self._end_s: float | None = None  # of the last frame

    def gap_s(self, frame: Frame, position_s: float, following_s: float | None) -> float | None:
        """How much later than ``position_s`` the frame is presented; None if that is unknown.

        ``following_s`` is the time of the next frame: a lone timestamp out of line is ignored.
        """
        if not self._is_known or frame.time_s is None:
            return None
        end_s, self._end_s = self._end_s, frame.time_s + frame.duration_s
        if self._ahead_s is None:
            self._ahead_s = frame.time_s - position_s
        gap_s = frame.time_s - self._ahead_s - position_s
        goes_back = end_s is not None and frame.time_s < end_s - STEP_BACK_S
        jumps = gap_s > TOLERANCE_S and not self._may_jump(gap_s, position_s)
        alone = following_s is not None and following_s <= frame.time_s
        if goes_back or jumps or (alone and gap_s > TOLERANCE_S):
            self._ahead_s = None
            return None
        return gap_s

    def _may_jump(self, gap_s: float, position_s: float) -> bool:
        end_s = self._end_of_media_s
        if not self._states_duration or end_s is None or position_s > end_s:
            return gap_s <= FARTHEST_JUMP_S
        return gap_s <= FARTHEST_STATED_JUMP_S and position_s + gap_s <= end_s + STEP_BACK_S


def _start_s(recording: Recording) -> float | None:
    """Where the recording's clock stands at the start of the media."""
    start_s = recording.start_s
    from_zero = recording.container.format.name in CLOCK_FROM_ZERO and not recording.has_picture
    if from_zero and start_s is not None and start_s <= LATEST_START_S:
        return 0.0
    return start_s


def _end_s(recording: Recording, zero_s: float) -> float | None:
    """Where the media end, counted from ``zero_s`` of their clock; at the latest."""
    if recording.duration_s is None:
        return None
    return recording.duration_s + max((recording.start_s or 0.0) - zero_s, 0.0)
