"""Corpora in folders as people have them: Kaldi, LJSpeech, LibriSpeech, text beside recordings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from quest22.errors import SourceError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from tests.support import odd_cells
from tests.support.corpora import wav_bytes


def _write(folder: Path, files: dict[str, str | bytes | None]) -> None:
    """Files by name; None: a recording of its own."""
    for number, (name, content) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = wav_bytes(seed=number) if content is None else content
        path.write_bytes(sound.encode() if isinstance(sound, str) else sound)


def _stream(path: Path, **settings: Any) -> list[Clip | Failure]:
    return list(DatasetSource(DatasetSettings(str(path), **settings), Metrics()))


def _told(results: list[Clip | Failure]) -> list[tuple[str, str | None]]:
    return [
        (each.key, each.reference if isinstance(each, Clip) else f"! {each.reason}")
        for each in results
    ]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"2.wav": None, "2.txt": "two\n", "10.wav": None, "10.txt": "ten"},
         [("2.wav", "two"), ("10.wav", "ten")]),
        ({"s/a.flac": None, "s/a.lab": "a", "t/b.mp3": None},
         [("s/a.flac", "a"), ("t/b.mp3", None)]),
        ({"a.wav": None, "a.normalized.txt": "doctor", "a.original.txt": "Dr."},
         [("a.wav", "doctor")]),
        ({"a.wav": None, "a.txt": "café".encode("latin-1"), "b.wav": None, "b.txt": "b"},
         [("a.wav", "caf\ufffd"), ("b.wav", "b")]),
        ({"1/2/1-2-0.flac": None, "1/2/1-2-1.flac": None,
          "1/2/1-2.trans.txt": "1-2-0 A B\n1-2-1 C\n"},
         [("1/2/1-2-0.flac", "A B"), ("1/2/1-2-1.flac", "C")]),
        ({"a.wav": None, "a.txt": b"x" * (17 << 20), "b.wav": None, "b.txt": "b"},
         [("train-000000", "! longer than 16 MiB"), ("b.wav", "b")]),
    ],
)  # fmt: skip
def test_text_beside_recordings(
    tmp_path: Path, files: dict[str, str | bytes | None], told: list[tuple[str, str | None]]
) -> None:
    _write(tmp_path, files)
    found = _told(_stream(tmp_path))
    assert [key for key, _ in found] == [key for key, _ in told]
    for (_, text), (_, expected) in zip(found, told, strict=True):
        if expected is not None and expected.startswith("! "):
            assert expected[2:] in str(text)
        else:
            assert text == expected


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("a|Dr. Who|doctor who\nb|b|b\n", [("a", "Dr. Who"), ("b", "b")]),
        ("a|he said \"no|x\nb|it's|y\n", [("a", 'he said "no'), ("b", "it's")]),
        ("a.wav|with its ending\nb|without\n", [("a.wav", "with its ending"), ("b", "without")]),
        ("a|x\n\nno cells\nb|y\n", [("a", "x"), ("train-000001", "!"), ("b", "y")]),
    ],
)
def test_ljspeech(tmp_path: Path, lines: str, told: list[tuple[str, str]]) -> None:
    _write(tmp_path, {"metadata.csv": lines, "wavs/a.wav": None, "wavs/b.wav": None})
    found = _told(_stream(tmp_path))
    assert [(key, text if expected != "!" else "!") for (key, text), (_, expected) in zip(
        found, told, strict=True)] == told  # fmt: skip


def test_ljspeech_by_its_normalized_text(tmp_path: Path) -> None:
    _write(tmp_path, {"metadata.csv": "a|Dr.|doctor\n", "wavs/a.wav": None})
    (clip,) = _stream(tmp_path, text_column="normalized_text", keep_columns=("text",))
    assert isinstance(clip, Clip)
    assert (clip.reference, clip.columns) == ("doctor", {"text": "Dr."})


def test_a_recording_of_ljspeech_that_is_not_there(tmp_path: Path) -> None:
    _write(tmp_path, {"metadata.csv": "a|x\nb|y\n", "wavs/a.wav": None})
    clip, failure = _stream(tmp_path)
    assert isinstance(clip, Clip)
    assert isinstance(failure, Failure)
    assert failure.key == "b"
    assert "no such file" in failure.reason


KALDI = {
    "wav.scp": "r1 r1.wav\nr2\tflac -c -d -s wav/r2.flac |\n"
    "r3 curl http://h/x |\nr4 rm x; cat y |\n",
    "text": "r1 one\nr2 two words\nu1 first\nu2 second\n",
    "utt2spk": "r1 s1\nu1 s2\n",
    "r1.wav": None,
    "wav/r2.flac": None,
}


@pytest.mark.parametrize("named", ["", "wav.scp"])
def test_kaldi(tmp_path: Path, named: str) -> None:
    _write(tmp_path, KALDI)
    one, two, *commands = _stream(tmp_path / named, keep_columns=("speaker",))
    assert _told([one, two]) == [("r1", "one"), ("r2", "two words")]
    assert isinstance(one, Clip)
    assert (one.media, one.columns) == (tmp_path / "r1.wav", {"speaker": "s1"})
    assert len(commands) == 2
    for failure in commands:
        assert isinstance(failure, Failure)
        assert "none is ever run" in failure.reason


def test_kaldi_with_segments(tmp_path: Path) -> None:
    segments = "u1 r1 0.5 2\nu2 r1 2.0 -1\nu3 r9 0 1\nu4 r1 3 3\nu5 r1 x 3\nu6\nu7 r3 0 1\n"
    _write(tmp_path, {**KALDI, "segments": segments})
    first, second, *bad = _stream(tmp_path)
    assert _told([first, second]) == [("u1", "first"), ("u2", "second")]
    assert isinstance(first, Clip)
    assert isinstance(second, Clip)
    assert (first.offset_s, first.duration_s) == (0.5, 1.5)
    assert (second.offset_s, second.duration_s) == (2.0, None)
    reasons = [failure.reason for failure in bad if isinstance(failure, Failure)]
    words = ["names no recording", "its start", "its start", "names no recording", "ever run"]
    assert [word in reason for word, reason in zip(words, reasons, strict=True)] == [True] * 5


def test_a_folder_below_may_be_the_split(tmp_path: Path) -> None:
    _write(
        tmp_path, {"train/a.wav": None, "train/a.txt": "a", "test/b.wav": None, "test/b.txt": "b"}
    )
    assert _told(_stream(tmp_path)) == [("a.wav", "a")]
    assert _told(_stream(tmp_path, split="test")) == [("b.wav", "b")]
    with pytest.raises(SourceError, match=r"no split 'dev'|Bad split|dev"):
        _stream(tmp_path, split="dev")


def test_reading_starts_at_any_row(tmp_path: Path) -> None:
    _write(tmp_path, {f"{n}.{kind}": None if kind == "wav" else f"{n}"
                      for n in range(6) for kind in ("wav", "txt")})  # fmt: skip
    assert _told(_stream(tmp_path, skip=2, take=3)) == [(f"{n}.wav", f"{n}") for n in (2, 3, 4)]


@pytest.mark.skipif(os.name == "nt", reason="makes pipes and sockets")
@pytest.mark.parametrize("text", [True, False])
def test_odd_files_of_a_folder_are_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "odd"
    folder.mkdir()
    odd_cells.odd_files(folder)
    if text:
        (folder / "a.txt").write_text("a")
    results = _stream(folder)
    heard = {each.key for each in results if isinstance(each, Clip)}
    failed = {each.key for each in results if isinstance(each, Failure)}
    assert heard == {"a.wav", "a b%.wav", "empty.wav", "locked/a.wav"}
    assert failed == {"pipe.wav", "dangling.wav", "loop.wav", "zero.wav", "socket.wav"}
