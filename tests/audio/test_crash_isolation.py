"""Notes of what is being decoded, and decoding in a process of its own."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from quest22.audio.decode import MediaDecoder
from quest22.audio.decode_apart import PROGRAM, ProcessDecoder
from quest22.audio.decoding_notes import SIZE, SUSPECTS, DecodingNotes
from quest22.audio.guarded_decoder import GuardedDecoder
from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import Audio, Clip, Origin, Samples
from quest22.settings import AudioSettings
from tests.support.sounds import Format, clip, encode, tone
from tests.support.systems import posix_only

MP3 = encode(Format("mp3", "mp3", "libmp3lame", 44_100), [tone(44_100, 45.0)])
FLAC = encode(Format("flac", "flac", "flac"), [tone(16_000, 30.0)])


def row(number: int) -> Clip:
    return Clip(f"key {number}", "a", b"", Origin("data", file="a.parquet", row=number))


def die(path: Path, *numbers: int, after: int = 0, trace: bytes = b"") -> None:
    """Leave notes as a process does that dies while it decodes these rows, after others."""
    notes = DecodingNotes(path)
    for number in range(after):
        with notes.decoding(row(100 + number)):
            pass
    running = [notes.decoding(row(number)) for number in numbers]
    for each in running:
        each.__enter__()
    left = path.read_bytes()
    notes.close()
    path.write_bytes(left + trace)


def crash(path: Path, *numbers: int, after: int = 0) -> None:
    die(path, *numbers, after=after, trace=b"Fatal Python error: Segmentation fault")


def suspects(path: Path) -> set[int]:
    notes = DecodingNotes(path)
    found = {number for number in range(200) if notes.is_suspect(row(number))}
    notes.close()
    return found


def test_what_was_being_decoded_is_suspect_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run" / "decoding"
    crash(path, 3, 7, after=5)
    assert suspects(path) == {3, 7}
    die(path, 8)
    assert suspects(path) == {3, 7}
    assert path.stat().st_size == SIZE


def test_a_second_crash_suspects_what_was_decoded_last_too(tmp_path: Path) -> None:
    path = tmp_path / "decoding"
    crash(path, 3, after=5)
    crash(path, 9, after=2)
    assert suspects(path) == {3, 9, 100, 101}


def test_a_clip_is_suspect_only_when_it_is_killed_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "decoding"
    for killed in ((1, 2), (2, 3), (3, 4), (4, 2), (5, 2), (6, 2)):
        assert suspects_after(path, *killed) == ({2} if killed == (6, 2) else set())


def suspects_after(path: Path, *killed: int) -> set[int]:
    die(path, *killed)
    left = path.read_bytes()
    found = suspects(path)
    path.write_bytes(left)
    return found


def test_a_process_that_ends_in_order_leaves_no_suspect(tmp_path: Path) -> None:
    path = tmp_path / "decoding"
    die(path, after=40)
    notes = DecodingNotes(path)
    with pytest.raises(ValueError, match="damaged"), notes.decoding(row(1)):
        raise ValueError("damaged")
    notes.close()
    notes.close()
    assert suspects(path) == set()


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_clip_that_ends_the_process_is_suspect(
    error: type[BaseException], tmp_path: Path
) -> None:
    notes = DecodingNotes(tmp_path / "decoding")
    with pytest.raises(error), notes.decoding(row(1)):
        raise error
    notes.close()
    assert suspects(tmp_path / "decoding") == {1}


def test_suspects_are_limited_in_number_and_the_last_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "decoding"
    for life in range(len(SUSPECTS) // 200 + 2):
        crash(path, *range(1000 * life, 1000 * life + 200))
    last = DecodingNotes(path)
    assert len(last.suspects) == len(SUSPECTS)
    assert last.is_suspect(row(1000 * life + 199))
    assert not last.is_suspect(row(0))
    last.close()


def test_a_file_of_notes_that_was_cut_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "decoding"
    crash(path, 3)
    path.write_bytes(path.read_bytes()[:100])
    assert suspects(path) == set()


CRASHING = """
import ctypes, sys
from pathlib import Path
from quest22.audio.decoding_notes import DecodingNotes
from quest22.records import Clip, Origin
notes = DecodingNotes(Path(sys.argv[1]))
with notes.decoding(Clip("key 5", "a", b"", Origin("data", file="a.parquet", row=5))):
    eval(sys.argv[2])
"""


@pytest.mark.parametrize(
    ("how", "is_suspect"),
    [
        ("ctypes.string_at(1)", True),
        ("__import__('os').abort()", True),
        ("__import__('os').kill(__import__('os').getpid(), 9)", False),
    ],
)
def test_a_crash_leaves_a_trace_and_a_kill_does_not(
    how: str, is_suspect: bool, tmp_path: Path
) -> None:
    path = tmp_path / "decoding"
    command = [sys.executable, "-c", CRASHING, str(path), how]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert run.returncode != 0
    assert run.stderr == ""
    assert suspects(path) == ({5} if is_suspect else set())


class Broken(io.BytesIO):
    """A file whose bytes stop coming after a while."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 8192:
            raise ConnectionResetError("connection reset by peer")
        return super().read(min(size or 4096, 4096))


@pytest.mark.parametrize("kind", ["bytes", "path", "opener"])
def test_a_process_of_its_own_gives_the_same_samples(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(MP3)
    media = {"bytes": MP3, "path": path, "opener": lambda: io.BytesIO(MP3)}[kind]
    here, apart, durations = Metrics(), Metrics(), []
    own = list(MediaDecoder(AudioSettings(), here).decode(clip(media)).blocks)
    decoder = ProcessDecoder(AudioSettings(), apart, lambda _, seconds: durations.append(seconds))
    others = list(decoder.decode(clip(media)).blocks)
    assert [len(block) for block in others] == [len(block) for block in own]
    assert all(np.array_equal(*pair) for pair in zip(own, others, strict=True))
    assert durations == [pytest.approx(45.0, abs=0.1)]
    assert apart.counts().keys() == here.counts().keys()


def test_damage_warnings_and_counts_come_from_it_too(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    with caplog.at_level(logging.WARNING, "quest22"):
        audio = ProcessDecoder(AudioSettings(), metrics).decode(clip(FLAC[: len(FLAC) // 2]))
        assert list(audio.blocks)
    assert audio.damage[-1].end_s == pytest.approx(30.0)
    assert metrics.counts()["damaged"] == 1
    assert "of 30.0 s of sound are missing" in caplog.text


@pytest.mark.parametrize(
    ("media", "stage", "reason"),
    [
        (b"no sound", "audio", "cannot be read as sound"),
        (lambda: Broken(FLAC), "source", "connection reset by peer"),
    ],
)
def test_failures_are_the_same_apart(media: object, stage: str, reason: str) -> None:
    failures = []
    for decoder in (MediaDecoder(AudioSettings()), ProcessDecoder(AudioSettings())):
        with pytest.raises(ClipError, match=reason) as caught:
            list(decoder.decode(clip(media)).blocks)  # type: ignore[arg-type]
        failures.append((caught.value.stage, caught.value.reason))
    assert failures[0] == failures[1]
    assert failures[0][0] == stage


def dying(how: str, patience_s: float = 60.0) -> ProcessDecoder:
    """A decoder whose process does this instead of decoding."""
    program = PROGRAM.replace("; main()", f"; import os, time; {how}")
    return ProcessDecoder(AudioSettings(), program=program, patience_s=patience_s)


@posix_only
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("os.kill(os.getpid(), 11)", r"decoding it crashes FFmpeg \(SIGSEGV\)"),
        ("os.abort()", r"decoding it crashes FFmpeg \(SIGABRT\)"),
        ("os._exit(3)", r"decoding it crashes FFmpeg \(exit code 3\)"),
    ],
)
def test_a_process_that_dies_is_a_failure(how: str, reason: str) -> None:
    with pytest.raises(ClipError, match=reason) as caught:
        list(dying(how).decode(clip(FLAC)).blocks)
    assert caught.value.stage == "audio"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("time.sleep(60)", "decoding it made no progress for 1 s"),
        ("os.write(1, b'x' * 100); time.sleep(60)", "decoding it"),
    ],
)
def test_a_process_that_hangs_is_a_failure(how: str, reason: str) -> None:
    with pytest.raises(ClipError, match=reason) as caught:
        list(dying(how, patience_s=1.0).decode(clip(FLAC)).blocks)
    assert caught.value.stage == "audio"


def test_one_that_takes_too_much_memory_is_a_failure() -> None:
    hog = dying("main.__globals__['MediaDecoder'] = lambda *_: bytearray(1 << 40); main()")
    with pytest.raises(ClipError, match="more than 4 GB of memory"):
        list(hog.decode(clip(FLAC)).blocks)


class Told:
    """A decoder that says who it is, and notes its threads."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    def decode(self, clip: Clip) -> Audio:
        return Audio(clip, self._blocks())

    def _blocks(self) -> Iterator[Samples]:
        try:
            for _ in range(3):
                yield np.full(1, ord(self.name), np.float32)
        finally:
            self.closed = True


def test_suspects_alone_are_decoded_apart(tmp_path: Path) -> None:
    crash(tmp_path / "decoding", 1)
    here, apart = Told("h"), Told("a")
    guarded = GuardedDecoder(here, apart, DecodingNotes(tmp_path / "decoding"))
    told = [chr(int(next(iter(guarded.decode(row(number)).blocks))[0])) for number in range(3)]
    assert told == ["h", "a", "h"]


def test_a_clip_that_is_left_is_closed(tmp_path: Path) -> None:
    here = Told("h")
    guarded = GuardedDecoder(here, here, DecodingNotes(tmp_path / "decoding"))
    blocks = guarded.decode(row(0)).blocks
    next(blocks)
    del blocks
    assert here.closed
    assert suspects(tmp_path / "decoding") == set()


def test_threads_note_their_own_clips(tmp_path: Path) -> None:
    notes, met = DecodingNotes(tmp_path / "decoding"), threading.Barrier(9)

    def work(number: int) -> None:
        with notes.decoding(row(number)):
            met.wait(10)
            met.wait(10)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    met.wait(10)
    copy = tmp_path / "copy"
    copy.write_bytes((tmp_path / "decoding").read_bytes() + b"a crash")
    assert suspects(copy) == set(range(8))
    met.wait(10)
    for thread in threads:
        thread.join()
    notes.close()
    assert suspects(tmp_path / "decoding") == set()
