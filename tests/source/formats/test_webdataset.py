"""Rows of tars: what lies beside recordings, what rows lack, and what is too big."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from quest22.metrics import Metrics
from quest22.records import Clip, Failure
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from quest22.source.io.retry import NetworkSettings, RetryingClient
from tests.support import corpora, hostile_tars
from tests.support.corpora import wav_bytes
from tests.support.hostile_runs import WARM_UP_MIB, streamed
from tests.support.hostile_tars import MIB


@pytest.mark.parametrize("memory_bytes", [1 << 20, 100])
def test_a_long_recording_is_the_same_wherever_it_waits(tmp_path: Path, memory_bytes: int) -> None:
    rows = corpora.samples(3)
    corpora.write_tar(tmp_path / "a.tar", rows)
    settings = DatasetSettings("webdataset", data_files=(str(tmp_path / "a.tar"),))
    client = RetryingClient(NetworkSettings(member_bytes=memory_bytes))
    clips = list(DatasetSource(settings, Metrics(), client=client))
    on_disk = memory_bytes < len(rows[0].sound)
    for clip, row in zip(clips, rows, strict=True):
        assert isinstance(clip, Clip)
        assert callable(clip.media) == on_disk
        file = clip.media() if callable(clip.media) else io.BytesIO(bytes(clip.media))  # type: ignore[arg-type]
        assert (file.read(), clip.reference) == (row.sound, row.text)


def _rows(path: Path, *members: tuple[str, bytes], **settings: Any) -> list[Clip | Failure]:
    with path.open("wb") as file:
        for name, content in members:
            hostile_tars.add(file, name, content)
        file.write(bytes(1024))
    return list(DatasetSource(DatasetSettings(str(path), **settings), Metrics()))


@pytest.mark.parametrize(
    "names",
    [
        ["0.flac", "1.wav", "2.mp3"],
        ["0.WAV", "1.wav", "2.Wav"],
        ["0.left.wav", "1.wav", "2.right.flac"],
        *([*(f"{n:02d}.wav" for n in range(20)), "x.flac"],),
        [*(f"{n:02d}.flac" for n in range(20)), "x.a.b.c.opus"],
    ],
)
def test_recordings_of_any_ending(tmp_path: Path, names: list[str]) -> None:
    members = [(name, wav_bytes(seed=number)) for number, name in enumerate(names)]
    texts = [(f"{name.partition('.')[0]}.txt", name.encode()) for name in names]
    both = [each for pair in zip(members, texts, strict=True) for each in pair]
    results = _rows(tmp_path / "a.tar", *both)
    assert [(clip.media, clip.reference) for clip in results if isinstance(clip, Clip)] == [
        (sound, name) for name, sound in members
    ]


def test_text_may_be_elsewhere_in_other_rows(tmp_path: Path) -> None:
    first = ("0.wav", wav_bytes()), ("0.txt", b"zero")
    second = ("1.flac", wav_bytes()), ("1.json", b'{"text": "one"}')
    third = ("2.wav", wav_bytes()), ("2.JSON", b'{"text": "two"}')
    results = _rows(tmp_path / "a.tar", *first, *second, *third)
    assert [clip.reference for clip in results if isinstance(clip, Clip)] == ["zero", "one", "two"]


def test_a_named_column_is_the_only_one(tmp_path: Path) -> None:
    members = [("0.wav", wav_bytes()), ("1.flac", wav_bytes())]
    clip, failure = _rows(tmp_path / "a.tar", *members, audio_column="wav")
    assert isinstance(clip, Clip)
    assert isinstance(failure, Failure)
    assert "'wav' is empty" in failure.reason


def test_rows_without_sound_come_first(tmp_path: Path) -> None:
    silent = [(f"{number:03d}.txt", b"no sound") for number in range(40)]
    *failures, clip = _rows(tmp_path / "a.tar", *silent, ("x.wav", wav_bytes()), ("x.txt", b"x"))
    assert all(isinstance(failure, Failure) for failure in failures)
    assert isinstance(clip, Clip)
    assert clip.reference == "x"


@pytest.mark.parametrize(
    ("name", "content", "value"),
    [
        ("txt", "café".encode("latin-1"), "caf\ufffd"),
        ("txt", "\ufeffcafé".encode(), "café"),
        ("txt", "café".encode("utf-16"), "café"),
        ("txt", b"", ""),
        ("json", b"{", "{"),
        ("json", b"", ""),
        ("json", b"\xff", "\ufffd"),
        ("json", b"[" * 5_000, "[" * 5_000),
        ("json", b"[" * 200 + b"]" * 200, "[" * 200 + "]" * 200),
        ("json", b"9" * 5_000, "9" * 5_000),
        ("json", b'{"text": "a", "nan": NaN}', {"text": "a", "nan": None}),
        ("json", b"7", 7),
        ("cls", b"7", 7),
        ("cls", b" 7\n", 7),
        ("cls", b"cat", "cat"),
        ("cls", b"\xff", "\ufffd"),
        ("cls", b"9" * 5_000, "9" * 5_000),
        ("cls", "٣".encode(), "٣"),
        ("id", b"", ""),
    ],
)
def test_nothing_beside_a_recording_costs_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: bytes, value: Any
) -> None:
    with caplog.at_level(logging.WARNING):
        first, second, third = _rows(
            tmp_path / "a.tar",
            *(("0.wav", wav_bytes(seed=0)), (f"0.{name}", b"7")),
            *(("1.wav", wav_bytes(seed=1)), (f"1.{name}", content)),
            *((f"2.{name}", content), ("2.wav", wav_bytes(seed=2))),
            keep_columns=(name,),
        )
    for number, clip in enumerate((first, second, third)):
        assert isinstance(clip, Clip)
        assert clip.media == wav_bytes(seed=number)
    found = second.columns[name]  # type: ignore[union-attr]
    if isinstance(value, dict):
        assert {**found, "nan": None} == value
    else:
        assert found == value
    damaged = "\ufffd" in str(value) or (name == "json" and isinstance(value, str))
    assert len(caplog.messages) == damaged  # once, though it is there twice
    json.dumps(found)


def test_a_row_of_too_many_members_is_one_failure(tmp_path: Path) -> None:
    many = [(f"0.{number}.txt", b"x") for number in range(1_500)]
    failure, clip = _rows(tmp_path / "a.tar", ("0.wav", b"x"), *many, ("1.wav", wav_bytes()))
    assert isinstance(failure, Failure)
    assert "more than 1,000 members" in failure.reason
    assert isinstance(clip, Clip)


def _text_of(size: int) -> Callable[[BinaryIO], None]:
    return lambda file: hostile_tars.add_zeros(file, "bad.txt", size)


def _many(count: int, name: str, size: int) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        for number in range(count):
            hostile_tars.add_zeros(file, f"bad.{number}.{name}", size)

    return write


def _holes(size: int) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(hostile_tars.sparse_header("bad.wav", size, [(0, 512)]) + bytes(512))

    return write


def _long(kind: bytes, size: int) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        hostile_tars.add_zeros(file, "long", size, kind)
        hostile_tars.add(file, "bad.wav", wav_bytes())

    return write


_BOMBS = [
    (_text_of(17 * MIB), "longer than 16 MiB"),
    (_many(8, "json", 10 * MIB), "longer than 64 MiB"),
    (_holes(1 << 60), "longer than 2 GiB"),
    (_holes(1 << 30), "holes and longer than 64 MiB"),
    (_long(b"L", 200 * MIB), "its name takes"),
    (_long(b"x", 200 * MIB), "its extended header takes"),
]
_LARGE_BOMBS = [
    (_text_of(1_900 * MIB), "longer than 16 MiB"),
    (_many(200, "wav", 20 * MIB), "longer than 2 GiB"),
    (_long(b"L", 4_097 * MIB), "its name takes"),
    (_long(b"x", 4_097 * MIB), "its extended header takes"),
]


@pytest.mark.parametrize(
    "bombs", [_BOMBS, *(pytest.param([bomb], marks=pytest.mark.slow) for bomb in _LARGE_BOMBS)]
)
def test_members_that_are_too_big_cost_their_row(
    tmp_path: Path, bombs: list[tuple[Callable[[BinaryIO], None], str]]
) -> None:
    with hostile_tars.gzipped_tar(tmp_path / "a.tar.gz") as file:
        hostile_tars.add_sound(file, "0")
        for number, (write, _) in enumerate(bombs, 1):
            write(file)
            hostile_tars.add_sound(file, str(number))
    result = streamed(tmp_path / "a.tar.gz")
    assert result.heard == [str(number) for number in range(len(bombs) + 1)]
    for (_, reason), found in zip(bombs, result.reasons, strict=True):
        assert reason in found
    assert result.grown_mib < WARM_UP_MIB
