"""Every real recording decodes, and is as long as its manifest says."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from quest22.audio.decode import MediaDecoder
from quest22.audio.pool import decode_ahead
from quest22.errors import ClipError
from quest22.records import SAMPLE_RATE_HZ, Audio, Clip, Origin
from quest22.settings import AudioSettings

MEASURED_S = {"longform/lj001_3min.flac": 231.346}
"""Where the manifest is wrong: 5,101,184 samples at 22,050 Hz by the file's own header."""


def rows(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in sorted(folder.glob("*/manifest.jsonl")):
        for line in manifest.read_text("utf-8").splitlines():
            row = json.loads(line)
            yield f"{manifest.parent.name}/{row['file']}", row


def length_s(audio: Audio) -> float:
    return sum(len(block) for block in audio.blocks) / SAMPLE_RATE_HZ


def lengths_s(clips: Iterator[Clip]) -> dict[str, float]:
    options = AudioSettings()
    audios = decode_ahead(clips, MediaDecoder(options), options)
    return {a.clip.key: length_s(a) for a in audios if isinstance(a, Audio)}


@pytest.mark.speech
def test_every_recording_is_as_long_as_its_manifest_says(
    speech_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = {name: row["duration_s"] for name, row in rows(speech_folder)} | MEASURED_S
    clips = (Clip(name, name, speech_folder / name, Origin(name)) for name in expected)
    assert lengths_s(clips) == pytest.approx(expected, abs=0.05)
    assert len(expected) >= 200
    assert not caplog.records


@pytest.mark.speech
@pytest.mark.parametrize("kind", ["bytes", "opener"])
def test_formats_from_memory_and_through_an_opener(kind: str, speech_folder: Path) -> None:
    expected = {
        name: row["duration_s"]
        for name, row in rows(speech_folder)
        if name.startswith(("formats_mixed", "ru_telephony6"))
    }

    def clips() -> Iterator[Clip]:
        for name in expected:
            path = speech_folder / name
            opener = partial(path.open, "rb")
            yield Clip(name, name, path.read_bytes() if kind == "bytes" else opener, Origin(name))

    assert lengths_s(clips()) == pytest.approx(expected, abs=0.05)


@pytest.mark.speech
def test_each_channel_can_be_picked(speech_folder: Path) -> None:
    stereo = [(name, row) for name, row in rows(speech_folder) if row["channels"] == 2]
    assert stereo
    for name, row in stereo:
        clip = Clip(name, name, speech_folder / name, Origin(name))
        for channel in (0, 1):
            audio = MediaDecoder(AudioSettings(channel=channel)).decode(clip)
            assert length_s(audio) == pytest.approx(row["duration_s"], abs=0.05)
        with pytest.raises(ClipError, match="channel 2 was asked for: the sound has 2"):
            length_s(MediaDecoder(AudioSettings(channel=2)).decode(clip))
