from __future__ import annotations

import io
import logging
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from quest22.audio.decode import MediaDecoder
from quest22.errors import ClipError, UsageError
from quest22.metrics import Metrics
from quest22.records import Samples
from quest22.settings import AudioSettings
from quest22.settings.languages import track_language
from quest22.settings.option import take_group
from tests.support.sounds import clip, loudest_hz, tone

RATE = 16_000


@dataclass
class Track:
    """A tone of 2 s in a file."""

    hz: int
    language: str | None = None
    title: str | None = None
    disposition: int = 0
    channels: int = 1
    tags: dict[str, str] = field(default_factory=dict)


DEFAULT, COMMENT, VISUAL_IMPAIRED = 1, 8, 256


def media(*tracks: Track, container: str = "matroska", codec: str = "flac") -> bytes:
    import av
    from av.stream import Disposition

    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        streams: list[Any] = []
        for track in tracks:
            stream: Any = output.add_stream(
                codec, RATE, layout={1: "mono", 2: "stereo"}[track.channels]
            )
            stream.disposition = Disposition(track.disposition)
            stream.metadata.update(
                {
                    name: value
                    for name, value in (("language", track.language), ("title", track.title))
                    if value is not None
                }
            )
            streams.append(stream)
        for stream, track in zip(streams, tracks, strict=True):
            sound = np.tile(tone(RATE, 2.0, track.hz) * 32000, (track.channels, 1)).astype(np.int16)
            packed = np.ascontiguousarray(sound.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, "s16", stream.layout.name)
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return file.getvalue()


def decoded(data: bytes, wanted: str | None = None, metrics: Metrics | None = None) -> Samples:
    decoder = MediaDecoder(AudioSettings(audio_track=wanted), metrics)
    return np.concatenate(list(decoder.decode(clip(data, "film.mkv")).blocks))


MAIN, OTHER = Track(440, "eng", disposition=DEFAULT), Track(880, "rus")


@pytest.mark.parametrize(
    "tracks",
    [
        (MAIN, OTHER),
        (OTHER, MAIN),
        (Track(880, "eng", "Commentary", COMMENT, 2), MAIN),
        (Track(880, "eng", "Director's commentary", 0, 2), Track(440)),
        (Track(880, "eng", None, VISUAL_IMPAIRED | DEFAULT, 2), Track(440)),
        (Track(440, "eng", "Commentary", COMMENT),),
    ],
)
def test_the_default_is_taken_and_no_commentary(tracks: tuple[Track, ...]) -> None:
    assert loudest_hz(decoded(media(*tracks))) == pytest.approx(440, abs=1)


@pytest.mark.parametrize(
    ("wanted", "hz"),
    [("0", 440), ("1", 880), ("2", 660), ("rus", 880), ("ru", 880), ("russian", 880), ("en", 440)],
)
def test_a_track_is_chosen_by_number_or_language(wanted: str, hz: int) -> None:
    data = media(MAIN, OTHER, Track(660, "eng", "Commentary", COMMENT))
    assert loudest_hz(decoded(data, wanted)) == pytest.approx(hz, abs=1)


def test_several_tracks_are_told_once_unless_one_was_chosen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data, metrics = media(MAIN, Track(880, "rus", "Dub\n\x1b[31m")), Metrics()
    with caplog.at_level(logging.WARNING, "quest22"):
        decoded(data, None, metrics)
        decoded(data, "0", metrics)
        decoded(media(MAIN), None, metrics)
    (told,) = [each.getMessage() for each in caplog.records if "audio tracks" in each.getMessage()]
    assert told.startswith('film.mkv: it has 2 audio tracks: 0 (eng), 1 (rus, "Dub')
    assert told.isprintable()
    assert metrics.counts()["several_tracks"] == 1


@pytest.mark.parametrize("wanted", ["2", "99999999999999999999", "fra"])
def test_a_track_that_is_not_there_is_a_failure_that_names_those_that_are(wanted: str) -> None:
    with pytest.raises(ClipError) as failed:
        decoded(media(MAIN, OTHER), wanted)
    assert failed.value.reason == (
        f"audio track {wanted} was asked for: expected one of the 2 in the file, by number or "
        "language: 0 (eng), 1 (rus)"
    )


def test_a_lone_track_without_a_language_is_in_any() -> None:
    assert len(decoded(media(Track(440)), "fra"))
    with pytest.raises(ClipError, match=r"audio track fra was asked for.*0 \(eng\)"):
        decoded(media(MAIN), "fra")


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("eng", "en"),
        ("en-US", "en"),
        ("GER", "de"),
        ("deu", "de"),
        ("English", "en"),
        ("und", None),
        ("", None),
        (None, None),
        ("tlh", "tlh"),
    ],
)
def test_languages_of_tracks(tag: str | None, language: str | None) -> None:
    assert track_language(tag) == language


@pytest.mark.parametrize(("value", "track"), [(0, "0"), ("01", "1"), ("ENG", "eng"), (None, None)])
def test_values_of_the_option(value: object, track: str | None) -> None:
    assert take_group(AudioSettings, {"audio_track": value}).audio_track == track


@pytest.mark.parametrize("value", [-1, "-1", "", "e", "1.5", True, 1.5, "0:a:1"])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(UsageError, match="expected a number counted from 0, or a language"):
        take_group(AudioSettings, {"audio_track": value})
