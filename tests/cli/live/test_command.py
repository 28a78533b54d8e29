"""The command itself, with nano and the demo's recordings: pipes, files, signals, clients."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from quest22.cli.exits import Exit
from quest22.records import SAMPLE_RATE_HZ, Samples
from quest22.system import WINDOWS
from tests.support.recordings import NANO_IS_HERE, recordings

pytestmark = [
    pytest.mark.skipif(not NANO_IS_HERE, reason="nano and the samples are not built"),
    pytest.mark.skipif(WINDOWS, reason="Ctrl-C cannot be sent to another process"),
]

PROGRAM = (  # Ctrl-C is heard even where tests run in the background
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from quest22.cli.main import main; sys.exit(main())"
)
NANO = ("-m", "nano", "-l", "en", "--threads", "1")
RAW = ("--format", "s16le")
SENTENCES = [
    "The laboratory is on the fifteenth floor.",
    "Your room number is eight hundred twenty-four.",
    "Hello, my name is Diana. Look, Philip, the lesson begins now.",
]


@pytest.fixture(scope="module")
def sentences() -> list[Samples]:
    """Three sentences of one clip, each with half a second of silence behind it."""
    silence = np.zeros(SAMPLE_RATE_HZ // 2, np.float32)
    return [np.concatenate([silence, each, silence]) for each in recordings("en", 3)]


@pytest.fixture(scope="module")
def talk(sentences: list[Samples], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("live") / "talk.wav"
    soundfile.write(path, np.concatenate(sentences), SAMPLE_RATE_HZ)
    return path


def pcm(sound: Samples) -> bytes:
    return (sound * 32767).astype("<i2").tobytes()


class Program:
    """``quest22 live`` in a process of its own, fed and read through pipes."""

    def __init__(self, *arguments: object, **options: Any) -> None:
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "live", *map(str, arguments), *NANO],
            bufsize=0,
            **streams | options,
        )

    def feed(self, sound: Samples) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(pcm(sound))

    def line(self) -> str:
        """The next line of standard output, waited for."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode()

    def said(self) -> str:
        """The next line of standard error, waited for."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().decode()

    def ended(self) -> tuple[int, str, str]:
        """The exit code, and the rest of what it wrote and said."""
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, (out or b"").decode(), (err or b"").decode()


@pytest.fixture
def programs() -> Iterator[Any]:
    started: list[Program] = []

    def start(*arguments: object, **options: Any) -> Program:
        started.append(Program(*arguments, **options))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def test_a_line_for_each_sentence(run: Any, talk: Path) -> None:
    ended = run("live", talk, "--pace", "fast", *NANO)
    assert ended.code == Exit.DONE
    assert len(ended.out.splitlines()) >= len(SENTENCES)
    words = ended.out.split()
    assert " ".join(words) == " ".join(SENTENCES)
    assert ended.err.splitlines() == [
        "quest22: listening to talk.wav: Ctrl-C ends",
        f"quest22: done: 0:12 of sound, {len(ended.out.splitlines())} segments",
    ]


@pytest.mark.slow
def test_quiet_says_nothing_else(run: Any, talk: Path) -> None:
    assert run("live", talk, "--pace", "fast", "-q", *NANO).err == ""


def test_events_hold_what_they_promise(run: Any, talk: Path) -> None:
    ended = run("live", talk, "--pace", "fast", "-f", "jsonl", "--step-s", "0.4", *NANO)
    events = [json.loads(line) for line in ended.out.splitlines()]
    committed: dict[int, list[Any]] = {}
    for each in events:
        stable = [word["word"] for word in each["words"] if word["stable"]]
        before = committed.get(each["segment"], [])
        assert stable[: len(before)] == before
        committed[each["segment"]] = stable
        assert "".join(word["word"] for word in each["words"]).strip() == each["text"].strip()
    finals = [each for each in events if each["type"] == "final"]
    assert [each["segment"] for each in finals] == sorted(committed)
    assert " ".join(" ".join(each["text"] for each in finals).split()) == " ".join(SENTENCES)


@pytest.mark.slow
def test_captions_in_files_look_as_those_of_a_recording(
    run: Any, talk: Path, tmp_path: Path
) -> None:
    ended = run(
        *("live", talk, "--pace", "fast", "-f", "vtt", "--max-line-width", "20"),
        *("-o", tmp_path / "talk.srt,jsonl", "-o", tmp_path / "other.txt", *NANO),
    )
    srt = (tmp_path / "talk.srt").read_text()
    assert ended.out.startswith("WEBVTT\n\n00:0")
    assert re.match(
        r"1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\nThe laboratory is on\nthe fifteenth", srt
    )
    assert max(map(len, srt.splitlines())) <= 29
    lines = (tmp_path / "talk.jsonl").read_text().splitlines()
    assert {json.loads(line)["type"] for line in lines} == {"final"}
    assert " ".join((tmp_path / "other.txt").read_text().split()) == " ".join(SENTENCES)
    again = run("live", talk, "-o", tmp_path / "talk.srt", *NANO)
    assert again.code == Exit.USAGE
    assert "talk.srt exists: choose another --output, or replace it with --overwrite" in again.err
    assert (tmp_path / "talk.srt").read_text() == srt


def test_text_comes_while_the_pipe_is_open(programs: Any, sentences: list[Samples]) -> None:
    program = programs("-", *RAW, "-f", "jsonl")
    for number, sound in enumerate(sentences[:2]):
        program.feed(sound)
        while json.loads(line := program.line())["type"] != "final":
            pass
        assert json.loads(line)["text"].split()[0] == SENTENCES[number].split()[0]
    program.process.stdin.close()
    program.process.stdin = None
    assert program.ended()[0] == Exit.DONE


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_finish_what_was_said(
    programs: Any, sentences: list[Samples], tmp_path: Path, number: int
) -> None:
    """The pipe stays open and says nothing more; the second sentence has no silence behind it."""
    program = programs("-", *RAW, "-o", tmp_path / "talk.srt")
    program.feed(np.concatenate(sentences[:2])[: -SAMPLE_RATE_HZ // 2])
    assert program.line() == f"{SENTENCES[0]}\n"
    program.process.send_signal(number)
    code, out, err = program.ended()
    assert code == Exit.INTERRUPTED
    assert out.split()[:2] == SENTENCES[1].split()[:2]
    assert err.splitlines()[-1].startswith("quest22: interrupted after 0:0")
    srt = (tmp_path / "talk.srt").read_text()
    assert srt.endswith("\n\n")
    assert "Your room" in srt


@pytest.mark.slow
@pytest.mark.parametrize("finals", [0, 1, 2])
def test_files_are_whole_after_a_kill(
    programs: Any, sentences: list[Samples], tmp_path: Path, finals: int
) -> None:
    program = programs("-", *RAW, "-o", tmp_path / "talk.srt,vtt,txt,jsonl")
    for sound in sentences[:finals]:
        program.feed(sound)
        program.line()
    if not finals:
        program.feed(sentences[0][:100])
        while not (tmp_path / "talk.jsonl").exists():
            time.sleep(0.01)
    program.process.kill()
    assert program.ended()[0] == -signal.SIGKILL
    srt, vtt, text, lines = (
        (tmp_path / f"talk.{name}").read_text() for name in ("srt", "vtt", "txt", "jsonl")
    )
    assert text.splitlines() == SENTENCES[:finals]
    assert srt.count(" --> ") == vtt.count(" --> ") == finals
    assert vtt.startswith("WEBVTT\n\n")
    assert all(each.endswith("\n\n") for each in (srt, vtt) if each)
    assert [json.loads(line)["segment"] for line in lines.splitlines()] == list(range(finals))


@pytest.mark.slow
def test_a_reader_that_goes_ends_all_quietly(programs: Any, sentences: list[Samples]) -> None:
    program = programs("-", *RAW, "-q")
    program.feed(sentences[0])
    program.line()
    program.process.stdout.close()
    program.process.stdout = None
    program.feed(sentences[1])
    code, _, err = program.ended()
    assert code == Exit.READER_GONE
    assert err == ""


@pytest.mark.slow
def test_clients_of_a_port(programs: Any, sentences: list[Samples], tmp_path: Path) -> None:
    """Two at once, one of them with a container, and one with garbage."""
    program = programs("--listen", "tcp://127.0.0.1:0", "-f", "jsonl", "-o", tmp_path / "talk.txt")
    found = re.search(r"listening to tcp://127\.0\.0\.1:(\d+)", program.said())
    assert found is not None
    address = ("127.0.0.1", int(found[1]))
    first, second, third = (socket.create_connection(address) for _ in range(3))
    names = ["{}:{}".format(*each.getsockname()) for each in (first, second)]
    for client, sound in ((first, sentences[0]), (second, sentences[1])):
        written = io.BytesIO()
        soundfile.write(written, sound, SAMPLE_RATE_HZ, format="WAV")
        client.sendall(written.getvalue())
    third.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
    third.close()
    texts: dict[str, str] = {}
    first.close()
    second.close()
    while len(texts) < 2:
        event = json.loads(program.line())
        if event["type"] == "final" and event["text"]:
            texts.setdefault(event["source"], event["text"].strip())
    assert texts == dict(zip(names, SENTENCES[:2], strict=True))
    said = program.said()
    assert "cannot be read as sound: it looks like text that begins with 'GET / HTTP/1.1" in said
    program.process.send_signal(signal.SIGINT)
    assert program.ended()[0] == Exit.INTERRUPTED
    files = [(tmp_path / name).read_text() for name in ("talk.txt", "talk-2.txt")]
    assert sorted(files) == sorted(f"{each}\n" for each in SENTENCES[:2])
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
def test_once_ends_with_the_first_client(programs: Any, sentences: list[Samples]) -> None:
    program = programs("--listen", "tcp://127.0.0.1:0", "--once", *RAW)
    port = int(program.said().rsplit(":", 2)[1].split()[0])
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(pcm(sentences[0]))
    assert program.ended()[:2] == (Exit.DONE, f"{SENTENCES[0]}\n")


@pytest.mark.slow
def test_each_side_of_a_call(run: Any, sentences: list[Samples], tmp_path: Path) -> None:
    left, right = (np.zeros(max(map(len, sentences[:2])), np.float32) for _ in range(2))
    left[: len(sentences[0])], right[: len(sentences[1])] = sentences[:2]
    soundfile.write(tmp_path / "call.wav", np.stack([left, right], axis=1), SAMPLE_RATE_HZ)
    flags = ("--pace", "fast", "--channel", "each", "-o", tmp_path / "call.txt", *NANO)
    ended = run("live", tmp_path / "call.wav", *flags)
    assert sorted(ended.out.splitlines()) == [
        f"[LEFT]: {SENTENCES[0]}",
        f"[RIGHT]: {SENTENCES[1]}",
    ]
    assert (tmp_path / "call-left.txt").read_text() == f"{SENTENCES[0]}\n"
    assert (tmp_path / "call-right.txt").read_text() == f"{SENTENCES[1]}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["missing.wav"], 1, "no such file or folder: missing.wav"),
        (["-", "--format", "srt"], 2, "format is 'srt': expected raw samples in one of"),
        (["-", "--rate", "8000"], 2, "name their format too, as --format s16le"),
        (["-", "--listen", "1"], 2, "are named: sound can come from one of them"),
        (["--listen", "nowhere"], 2, "expected tcp://HOST:PORT"),
        (["-", "-o", "talk"], 2, "has no suffix that names its format"),
        (["-", "-f", "json"], 2, "unknown live format 'json'"),
        (["--listen", ":0", "-f", "srt"], 2, "srt cannot hold what several say"),
        (["-", "--endpoint-ms", "1"], 2, "expected 64 or more"),
        (["-", "--policy", "later"], 2, "policy is 'later'"),
    ],
)
def test_what_is_wrong_is_one_line(run: Any, arguments: list[str], code: int, said: str) -> None:
    ended = run("live", *arguments, "-m", "nano")
    assert ended.code == code
    assert said in ended.err
    assert len(ended.err.splitlines()) <= 2
    assert ended.out == ""


@pytest.mark.weights
def test_what_a_model_cannot_do_is_told_before_anybody_speaks(
    run: Any, real_weights: dict[str, Path]
) -> None:
    ended = run("live", "-", "-m", real_weights["tiny.en"], "-l", "ru")
    assert ended.code == Exit.USAGE
    assert ended.err == (
        "quest22: error: language 'ru': the model is English-only: use a multilingual one, without "
        "'.en' in its name\n"
    )


def test_sound_that_is_none_is_told(run: Any, tmp_path: Path) -> None:
    (tmp_path / "talk.mp3").write_bytes(b"nothing")
    ended = run("live", tmp_path / "talk.mp3", "-q", "-o", tmp_path / "talk.srt", *NANO)
    assert ended.code == Exit.NOTHING_DONE
    assert ended.err.startswith("quest22: talk.mp3: the file cannot be read as sound")
    assert not (tmp_path / "talk.srt").exists()


def test_help_teaches(run: Any) -> None:
    short, whole = run("live", "--help").out, run("live", "--help-all").out
    for each in ("quest22 live -o talk.srt,jsonl", "tcp://"):
        assert each in short
    for each in ("arecord -f S16_LE", "ffmpeg -i rtsp"):
        assert each in whole


@pytest.mark.slow
def test_captions_on_a_terminal_until_ctrl_c(talk: Path) -> None:
    import pty
    import termios

    def echoes() -> bool:
        return bool(termios.tcgetattr(controller)[3] & termios.ECHO)

    owner = (
        "import fcntl, os, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); " + PROGRAM
    )
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", owner, "live", str(talk), *NANO],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm-256color"},
    )
    written = b""
    first = rb"\x1b\[36m +0:00  \x1b\[0mThe laboratory is on the fifteenth floor\."
    while not re.search(first, written):
        written += os.read(controller, 65536)
    assert not echoes()
    os.write(controller, b"\n\x03")
    os.close(terminal)
    with suppress(OSError):  # how Linux ends it
        while data := os.read(controller, 65536):
            written += data
            if b"\x1b[?25h" in written:
                ended_with_echo = echoes()
    os.close(controller)
    assert process.wait(120) == Exit.INTERRUPTED
    assert ended_with_echo
    assert written.index(b"\x1b[?25l") < written.index(b"\x1b[?2026h")
    assert written.rindex(b"\x1b[?25h") > written.rindex(b"\x1b[?2026l")
    assert written.rstrip().endswith(b"segments") or written.rstrip().endswith(b"1 segment")
