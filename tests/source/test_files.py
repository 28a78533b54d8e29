from __future__ import annotations

import io
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from quest22.demo.server import RangeServer
from quest22.errors import ClipError, SourceError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure
from quest22.source.files import FilesSource
from tests.support.systems import posix_only

SOUND = b"sound" * 100


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sounds, among them names that must not be found by looking into it."""
    names = [
        "talk/10.wav", "talk/2.wav", "talk/a/x.MP3", "talk/b/x.mp3", "talk/film.mkv",
        "talk/notes.txt", "talk/.hidden.wav", "talk/.git/y.wav", "one.dat", "other/x.mp3",
        "data/train.parquet", "we[ir]d.wav",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(SOUND)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _results(inputs: Sequence[str], stdin: io.RawIOBase | None = None) -> list[Clip | Failure]:
    return list(FilesSource(inputs, metrics=Metrics(), stdin=stdin))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        (["one.dat"], [("one.dat", "one.dat")]),
        (["./one.dat"], [("./one.dat", "one.dat")]),
        (
            ["talk"],
            [
                ("talk/2.wav", "2.wav"), ("talk/10.wav", "10.wav"), ("talk/a/x.MP3", "a/x.MP3"),
                ("talk/b/x.mp3", "b/x.mp3"), ("talk/film.mkv", "film.mkv"),
            ],
        ),
        (["talk/*.wav"], [("talk/2.wav", "2.wav"), ("talk/10.wav", "10.wav")]),
        (["talk/**/*.mp3"], [("talk/b/x.mp3", "b/x.mp3")]),
        (["*/x.mp3"], [("other/x.mp3", "other/x.mp3")]),
        (["we[ir]d.wav"], [("we[ir]d.wav", "we[ir]d.wav")]),
        (["talk/2.wav", "talk"], [("talk/2.wav", "2.wav"), ("talk/10.wav", "10.wav")]),
        (["talk/b/x.mp3", "other/x.mp3"],
         [("talk/b/x.mp3", "talk/b/x.mp3"), ("other/x.mp3", "other/x.mp3")]),
        (["one.dat", "one.dat"], [("one.dat", "one.dat")]),
        (["./one.dat", "one.dat", "talk/2.wav"],
         [("./one.dat", "one.dat"), ("talk/2.wav", "2.wav")]),
    ],
)  # fmt: skip
def test_what_is_found_and_named(
    tree: Path, inputs: list[str], found: list[tuple[str, str]]
) -> None:
    results = _results(inputs)
    assert [(clip.key, clip.name) for clip in results][: len(found)] == found
    assert all(isinstance(clip, Clip) for clip in results)
    assert len({clip.name for clip in results}) == len({clip.key for clip in results})


def test_whole_path_of_a_folder_is_kept(tree: Path) -> None:
    keys = [clip.key for clip in _results([str(tree / "talk")])]
    assert keys[0] == str(tree / "talk" / "2.wav")


def test_a_file_url(tree: Path) -> None:
    assert _results([f"file://{tree}/one.dat"])[0].key == str(tree / "one.dat")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("nothing.wav", "no such file or folder: nothing.wav"),
        ("nothing/*.wav", "no audio or video files found"),
        ("empty", "no audio or video files found: empty"),
        ("data/train.parquet", "use quest22 stream"),
    ],
)
def test_what_is_missing_fails_alone(tree: Path, bad: str, words: str) -> None:
    first, failure, last = _results(["one.dat", bad, "other/x.mp3"])
    assert isinstance(failure, Failure)
    assert words in failure.reason
    assert failure.stage == "source"
    assert (first.key, last.key) == ("one.dat", "other/x.mp3")


def test_nothing_at_all_is_an_error(tree: Path) -> None:
    with pytest.raises(SourceError, match=r"no such file or folder: a\.wav \(and 1 more\)"):
        _results(["a.wav", "b.wav"])
    with pytest.raises(SourceError, match="no input files given"):
        _results([])


def test_local_files_are_handed_on_as_paths(tree: Path) -> None:
    metrics = Metrics()
    (clip,) = FilesSource(["one.dat"], metrics=metrics)
    assert isinstance(clip, Clip)
    assert clip.media == Path("one.dat")
    assert metrics.counts()["bytes"] == len(SOUND)


def test_a_url_is_opened_when_it_is_read(tree: Path) -> None:
    with RangeServer(tree) as server:
        (clip,) = _results([f"{server.url}/talk/b/x.mp3?signature=abc&take=2"])
        assert isinstance(clip, Clip)
        assert callable(clip.media)
        assert (clip.name, server.traffic.requests) == ("x.mp3", 0)
        assert "abc" not in clip.key
        with clip.media() as file:
            assert file.read() == SOUND


@pytest.mark.parametrize("target", ["/talk/none.mp3", "/../outside.mp3"])
def test_a_url_that_is_not_there_fails_when_it_is_opened(tree: Path, target: str) -> None:
    with RangeServer(tree) as server:
        (clip,) = _results([server.url + target])
        assert isinstance(clip, Clip)
        with pytest.raises(ClipError, match="no such file"):
            clip.media()  # type: ignore[operator]


def _pipe(content: bytes) -> io.BufferedReader:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(content)

    threading.Thread(target=write).start()
    return os.fdopen(reading, "rb")


@pytest.mark.parametrize("content", [b"", SOUND, bytes(40 << 20)])
def test_standard_input_becomes_seekable(content: bytes) -> None:
    with _pipe(content) as stdin:
        (clip,) = _results(["-"], stdin)  # type: ignore[arg-type]
        assert isinstance(clip, Clip)
        assert (clip.key, clip.name) == ("-", "stdin")
        with clip.media() as file:  # type: ignore[operator]
            assert file.seek(0, io.SEEK_END) == len(content)
            file.seek(0)
            assert file.read() == content


def test_standard_input_is_read_once() -> None:
    (clip,) = _results(["-"], io.BytesIO(SOUND))  # type: ignore[arg-type]
    assert isinstance(clip, Clip)
    clip.media()  # type: ignore[operator]
    with pytest.raises(ClipError, match="only once"):
        clip.media()  # type: ignore[operator]


@posix_only
def test_a_named_pipe(tree: Path) -> None:
    os.mkfifo("fifo.wav")
    writer = threading.Thread(target=lambda: Path("fifo.wav").write_bytes(SOUND))
    (clip,) = _results(["fifo.wav"])
    assert isinstance(clip, Clip)
    writer.start()
    with clip.media() as file:  # type: ignore[operator]
        assert file.read() == SOUND
    writer.join()
