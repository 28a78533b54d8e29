"""Decodes encoded media of any format to blocks of mono 16 kHz float32.

Containers are opened in ``container``, frames read in ``frames`` and put on the media's clock in
``timeline``, channels mixed in ``pieces`` or kept apart in ``each_channel``, rates converted in
``resample``.

What can be decoded is, and what is missing is reported as damage. A file without any audio is an
error, and so is one of which more is missing than the settings allow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from quest22.audio.container import open_media, open_recording, stated_duration_s
from quest22.audio.each_channel import channel_pieces
from quest22.audio.frames import Frame, frames
from quest22.audio.levels import Levels
from quest22.audio.media_reader import MediaReader
from quest22.audio.ogg_links import next_link
from quest22.audio.packets import ends_run
from quest22.audio.pieces import finite, mono_pieces
from quest22.audio.resample import in_blocks, to_16_khz
from quest22.audio.stretch import cut, frames_from, is_stretch, stretch_duration_s
from quest22.audio.timeline import CUT_OFF, DamageReport, Silence, Timeline
from quest22.audio.tracks import choose_track
from quest22.errors import ClipError, TooLongError, unexpected
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Audio, Clip, Damage, Samples
from quest22.settings import AudioSettings
from quest22.settings.quantities import hours

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

logger = logging.getLogger(__name__)

OnDuration: TypeAlias = Callable[[Clip, float], None]

BLOCK_S = 20
TOLERANCE_S = 0.1


class MediaDecoder:
    """Decodes clips with FFmpeg's libraries (through PyAV) and soxr; an :class:`AudioDecoder`.

    Stateless: several threads may decode different clips at once.
    """

    def __init__(
        self,
        settings: AudioSettings,
        metrics: Metrics | None = None,
        on_duration: OnDuration | None = None,
    ) -> None:
        """``on_duration`` is told the duration that a container states, as it is opened."""
        self._settings = settings
        self._on_duration = on_duration
        self._metrics = metrics or Metrics()

    def decode(self, clip: Clip) -> Audio:
        """Decode lazily: nothing is opened before the first block is taken.

        Blocks are 20 s long, the last one shorter, and have several channels only if each is to be
        transcribed. Taking one raises ClipError: stage ``source``
        if bytes cannot be read, ``audio`` if they cannot be decoded; TooLongError beyond the limit.
        """
        damage: list[Damage] = []
        return Audio(clip, self._blocks(clip, damage), damage)

    def _blocks(self, clip: Clip, damage: list[Damage]) -> Iterator[Samples]:
        try:
            yield from self._limited(clip, DamageReport(damage))
        except Exception as exc:
            if ends_run(exc):
                raise
            logger.debug("%s: decoding ends with an unexpected error", clip.name, exc_info=True)
            raise ClipError("audio", f"the sound cannot be decoded: {unexpected(exc)}") from exc

    def _limited(self, clip: Clip, report: DamageReport) -> Iterator[Samples]:
        total, max_duration_s = 0, self._most_s(clip)
        for block in in_blocks(self._samples(clip, report), BLOCK_S * SAMPLE_RATE_HZ):
            total += len(block)
            if total > max_duration_s * SAMPLE_RATE_HZ:
                raise TooLongError(f"the sound is longer than {_limit_message(max_duration_s)}")
            yield block
        if not total:
            reason = f" ({report.places[0].reason})" if report.places else ""
            raise ClipError("audio", f"the file holds no sound that can be decoded{reason}")
        self._judge(clip, report, total / SAMPLE_RATE_HZ)

    def _most_s(self, clip: Clip) -> float:
        most_s = self._settings.max_duration_s
        return most_s if clip.most_s is None else min(clip.most_s, most_s)

    def _samples(self, clip: Clip, report: DamageReport) -> Iterator[Samples]:
        if isinstance(clip.media, np.ndarray):
            self._tell_duration(clip, len(clip.media) / SAMPLE_RATE_HZ)
            sound, levels = _validated(clip.media), Levels()
            for start in range(0, len(sound), SAMPLE_RATE_HZ):
                yield finite(levels.mono(sound[np.newaxis, start : start + SAMPLE_RATE_HZ]))
            levels.report(clip, self._metrics)
            return
        with open_media(clip, self._metrics) as reader:
            timeline, levels = Timeline(report), Levels()
            with closing(self._placed(clip, reader, timeline)) as placed:
                samples = to_16_khz(self._pieces(placed, levels))
                yield from cut(samples, clip, timeline, report) if is_stretch(clip) else samples
        levels.report(clip, self._metrics)

    def _pieces(
        self, placed: Iterable[Frame | Silence], levels: Levels
    ) -> Iterator[tuple[int, Samples]]:
        if self._settings.channel == "each":
            return channel_pieces(placed, levels)
        return mono_pieces(placed, self._settings.channel, levels)

    def _placed(
        self, clip: Clip, reader: MediaReader, timeline: Timeline
    ) -> Generator[Frame | Silence, None, None]:
        """The frames of all recordings in the file; chained Ogg has several."""

        def choose(container: InputContainer) -> AudioStream | None:
            return choose_track(container, self._settings.audio_track, clip, self._metrics)

        with open_recording(reader, clip, choose) as recording:
            held_s = stretch_duration_s(clip, recording.held_duration_s)
            _refuse_long(held_s, self._most_s(clip))
            self._tell_duration(clip, stretch_duration_s(clip, stated_duration_s(recording)))
            found = frames_from(recording, clip.offset_s, timeline, self._metrics)
            yield from timeline.place(found, recording)
        timeline.end(recording)
        link = recording.next_link
        while link is not None:
            reader.base, link = link, None
            try:
                with open_recording(reader, clip, choose) as recording:
                    yield from timeline.place(frames(recording, self._metrics), recording)
                    link = recording.next_link
            except ClipError as exc:
                reader.check()
                timeline.note(exc.reason)
                link = next_link(reader)

    def _tell_duration(self, clip: Clip, duration_s: float | None) -> None:
        if duration_s is not None and self._on_duration is not None:
            self._on_duration(clip, duration_s)

    def _judge(self, clip: Clip, report: DamageReport, found_s: float) -> None:
        """Log and count damage. Raises ClipError if more is missing than the settings allow."""
        if not report.places:
            return
        places, whole_s = report.places, max(found_s, report.places[-1].end_s)
        self._metrics.count("damaged")
        self._metrics.count("truncated", places[-1].reason == CUT_OFF)
        worst = max(places, key=lambda place: place.end_s - place.start_s)
        missing_s = sum(place.end_s - place.start_s for place in places)
        lost = f"{missing_s:.1f} of {whole_s:.1f} s of sound are missing: {worst.reason}"
        if report.lost_s > self._settings.max_damage * whole_s:
            raise ClipError(
                "audio",
                f"{lost}; get the file again, or allow more than {self._settings.max_damage:.0%} "
                "with --max-damage",
            )
        logger.warning("%s: %s; the rest is transcribed", clip.name, lost)


def _refuse_long(held_s: float | None, max_duration_s: float) -> None:
    """Raise TooLongError at once if the header states a duration above the limit."""
    if held_s is not None and held_s > max_duration_s:
        stated = f"the file holds {hours(held_s)} of sound by its header"
        raise TooLongError(f"{stated}, more than {_limit_message(max_duration_s)}")


def _limit_message(max_duration_s: float) -> str:
    allowed = f"the {hours(max_duration_s)} that a recording may have"
    return f"{allowed}: split it, or raise the max duration"


def _validated(samples: Samples) -> Samples:
    if samples.ndim != 1:
        raise ClipError("audio", f"samples have shape {samples.shape}: expected mono, one axis")
    if samples.dtype.kind != "f":
        raise ClipError("audio", f"samples are {samples.dtype}: expected float32 in -1 to 1")
    return samples.astype(np.float32, copy=False)
