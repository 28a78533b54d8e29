"""Where sound stands on the media's clock."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.audio.decode import MediaDecoder
from quest22.audio.frames import Frame, Layout
from quest22.audio.timeline import MOST_PLACES, DamageReport, Timeline
from quest22.records import SAMPLE_RATE_HZ, Damage, Samples
from quest22.settings import AudioSettings
from tests.support.sounds import clip, tone

RATE_HZ = 48_000


def media(
    spans: Sequence[tuple[float, float]],
    *,
    container: str = "matroska",
    codec: str = "libopus",
    picture: tuple[float, float] | None = None,
    lost: int = 0,
) -> bytes:
    """Tones of so many seconds at so many, with a picture from one time to another.

    Before every tenth packet, ``lost`` milliseconds are missing.
    """
    import av as library

    av: Any = library
    file, options = io.BytesIO(), {"strict": "experimental"}
    with av.open(file, "w", format=container) as output:
        video_codec = "flv" if container == "flv" else "mpeg4"
        video = output.add_stream(video_codec, rate=5) if picture else None
        stream = output.add_stream(codec, RATE_HZ, options, layout="mono")
        if video is not None and picture is not None:
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
            for number in range(round(picture[0] * 5), round(picture[1] * 5)):
                frame = av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), "yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 5)
                output.mux(video.encode(frame))
            output.mux(video.encode(None))
        number, tick = 0, Fraction(1, 1000)
        for start_s, seconds in spans:
            encoder = av.CodecContext.create(codec, "w")
            encoder.sample_rate, encoder.layout = RATE_HZ, "mono"
            encoder.format = stream.codec_context.format
            encoder.options, encoder.time_base = options, Fraction(1, RATE_HZ)
            sound = tone(RATE_HZ, seconds)[np.newaxis]
            if codec != "libopus":
                frame = av.AudioFrame.from_ndarray(sound, "fltp", "mono")
            else:
                frame = av.AudioFrame.from_ndarray(sound, "flt", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
            for packet in [*encoder.encode(frame), *encoder.encode(None)]:
                at_ms = round((packet.pts / RATE_HZ + start_s) * 1000)
                packet.stream, packet.time_base = stream, tick
                packet.pts = packet.dts = at_ms + lost * (number // 10)
                packet.duration = round(packet.duration * 1000 / RATE_HZ)
                output.mux(packet)
                number += 1
    return file.getvalue()


def heard(data: bytes) -> Samples:
    audio = MediaDecoder(AudioSettings()).decode(clip(data))
    sound = np.concatenate(list(audio.blocks))
    assert not audio.damage
    return sound


def onsets_s(sound: Samples) -> list[float]:
    """When sound begins after silence of 0.3 s or more."""
    loud = np.flatnonzero(np.abs(sound) > 0.05) / SAMPLE_RATE_HZ
    return [float(loud[0]), *(float(each) for each in loud[1:][np.diff(loud) > 0.3])]


VIDEOS = [("mov", "aac"), ("mp4", "aac"), ("matroska", "aac"), ("matroska", "libopus"),
          ("mpegts", "aac"), ("nut", "aac")]  # fmt: skip


@pytest.mark.parametrize(("container", "codec"), VIDEOS)
@pytest.mark.parametrize("begins_s", [0.0, 5.0])
def test_sound_is_as_late_as_it_is_behind_the_picture(
    container: str, codec: str, begins_s: float
) -> None:
    picture, spans = (begins_s, begins_s + 12.0), [(begins_s + 4.0, 3.0), (begins_s + 10.0, 1.0)]
    sound = heard(media(spans, container=container, codec=codec, picture=picture))
    assert onsets_s(sound) == pytest.approx([4.0, 10.0], abs=0.1)


@pytest.mark.parametrize(
    ("container", "start_s", "onset_s"),
    [("mov", 4.0, 4.0), ("matroska", 4.0, 4.0), ("mov", 900.0, 0.0), ("mpegts", 4.0, 0.0)],
)
def test_sound_alone_is_as_late_as_its_clock_says(
    container: str, start_s: float, onset_s: float
) -> None:
    sound = heard(media([(start_s, 2.0)], container=container, codec="aac"))
    assert onsets_s(sound) == [pytest.approx(onset_s, abs=0.1)]
    assert len(sound) / SAMPLE_RATE_HZ == pytest.approx(onset_s + 2.0, abs=0.1)


@pytest.mark.parametrize("pause_s", [0.3, 3.0, 30.0])
@pytest.mark.parametrize(
    ("container", "codec"), [("mpegts", "aac"), ("mpegts", "libopus"), ("asf", "aac")]
)
def test_a_pause_in_a_stream_is_no_damage(container: str, codec: str, pause_s: float) -> None:
    sound = heard(media([(0.0, 2.0), (2.0 + pause_s, 2.0)], container=container, codec=codec))
    assert len(sound) / SAMPLE_RATE_HZ == pytest.approx(4.0 + pause_s, abs=0.1)


@pytest.mark.parametrize("start_s", [4.0, 100.0])
def test_sound_that_begins_late_in_a_stream_without_an_index_is_found(start_s: float) -> None:
    picture = (0.0, start_s + 3.0)
    sound = heard(media([(start_s, 2.0)], container="flv", codec="aac", picture=picture))
    assert onsets_s(sound) == [pytest.approx(start_s, abs=0.1)]


def test_many_small_gaps_add_up() -> None:
    sound = heard(media([(0.0, 10.0)], lost=20))
    assert len(sound) / SAMPLE_RATE_HZ == pytest.approx(11.0, abs=0.15)


def placed_s(times_s: Sequence[float | None], name: str = "matroska,webm") -> float:
    """How long the sound becomes whose frames of 20 ms have these times."""
    form = SimpleNamespace(name=name)
    container = SimpleNamespace(format=form, streams=[])
    recording: Any = SimpleNamespace(
        container=container, start_s=0.0, duration_s=None, has_picture=False
    )
    values = np.zeros((1, 320), np.float32)
    frames = [Frame(Layout(16_000, 1, False, "flt"), values, 320, time_s) for time_s in times_s]
    timeline = Timeline(DamageReport([]))
    items = list(timeline.place(frames, recording))
    assert [item for item in items if isinstance(item, Frame)] == frames
    assert sum(item.samples for item in items) == round(timeline.position_s * 16_000)
    return timeline.position_s


JUMPS: dict[str, Callable[[int], float | None]] = {
    "none": lambda number: None,
    "far ahead": lambda number: number / 50 + (30 * 3600 if number > 200 else 0),
    "back": lambda number: number / 50 - (3 if number > 200 else 0),
    "to the start": lambda number: number % 200 / 50,
    "wraps": lambda number: number / 50 - (2**33 / 90_000 if number > 200 else 0),
    "one is ahead": lambda number: number / 50 + (50 if number == 200 else 0),
    "one is far off": lambda number: number / 50 + (3600 if number == 200 else 0),
    "one is behind": lambda number: number / 50 - (2.5 if number == 200 else 0),
    "every tenth is wrong": lambda number: number / 50 + (90 if number % 10 == 5 else 0),
    "all are the same": lambda number: 0.0,
    "negative": lambda number: number / 50 - 7.0,
    "backwards": lambda number: 10.0 - number / 50,
    "rounded": lambda number: round(number / 50, 1),
    "slow": lambda number: number / 51,
}


@pytest.mark.parametrize("time_s", JUMPS.values(), ids=JUMPS)
def test_timestamps_that_no_clock_gives_are_ignored(time_s: Callable[[int], float | None]) -> None:
    assert placed_s([time_s(number) for number in range(400)]) == pytest.approx(8.0)


@given(
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=30),
    st.sampled_from(["matroska,webm", "mpegts", "avi"]),
)
def test_no_timestamps_give_more_than_so_much_silence(
    times_s: list[float | None], name: str
) -> None:
    assert 0.02 * len(times_s) - 1e-6 <= placed_s(times_s, name) <= 620.0 * len(times_s) + 0.1


def test_what_goes_on_behind_a_jump_keeps_its_gaps() -> None:
    times_s = [*np.arange(0, 2, 0.02), *np.arange(5000, 5002, 0.02), *np.arange(5007, 5009, 0.02)]
    assert placed_s([float(each) for each in times_s]) == pytest.approx(11.0)


def test_a_gap_does_not_fill_more_than_the_container_is_long() -> None:
    data = bytearray(media([(0.0, 2.0), (300.0, 2.0)]))
    at = data.index(b"\x44\x89\x88") + 3  # the duration, in ms
    data[at : at + 8] = np.array([4000.0], ">f8").tobytes()
    assert len(heard(bytes(data))) / SAMPLE_RATE_HZ == pytest.approx(4.0, abs=0.1)


def test_places_are_joined_and_limited_in_number() -> None:
    places: list[Damage] = []
    report = DamageReport(places)
    for start_s in (1.0, 1.5, 1.6, 9.0):
        report.add(start_s, start_s + 0.5, "a hole")
    assert places == [Damage(1.0, 2.1, "a hole"), Damage(9.0, 9.5, "a hole")]
    for number in range(2 * MOST_PLACES):
        report.add(10.0 + number, 10.1 + number, "a hole")
    assert len(places) == MOST_PLACES
    assert places[-1].end_s == pytest.approx(10.1 + 2 * MOST_PLACES - 1)
    assert report.lost_s == pytest.approx(2.0 + 0.2 * MOST_PLACES)


def test_a_place_of_unknown_length_gets_that_of_the_one_that_touches_it() -> None:
    places: list[Damage] = []
    report = DamageReport(places)
    report.add(22.0, 22.0, "the file is damaged")
    report.add(22.0, 40.0, "the file ends early")
    assert places == [Damage(22.0, 40.0, "the file is damaged")]
    assert report.lost_s == 18.0
