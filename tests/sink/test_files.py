from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from quest22.errors import SinkError
from quest22.sink import files
from quest22.sink.files import (
    AppendedFile,
    StandardOutput,
    make_folder,
    write_text_atomically,
    writing,
)

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")


def test_a_file_without_lines_appears_empty_at_close(tmp_path):
    file = AppendedFile(tmp_path / "a" / "b.jsonl")
    assert not (tmp_path / "a").exists()
    file.close()
    assert (tmp_path / "a" / "b.jsonl").read_bytes() == b""


@needs_full
def test_a_full_disk_is_one_line_that_says_what_to_do(tmp_path):
    (tmp_path / "full").symlink_to(FULL)
    file = AppendedFile(tmp_path / "full")
    with pytest.raises(
        SinkError, match=r"cannot write .*full: No space left.*--output-dir"
    ) as info:
        file.write("line\n")
    assert "\n" not in str(info.value)
    with pytest.raises(SinkError):
        file.close()


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(SinkError, match="taken"):
        make_folder(tmp_path / "taken")
    with pytest.raises(SinkError, match="taken"):
        AppendedFile(tmp_path / "taken" / "x.jsonl").write("line\n")
    with pytest.raises(SinkError, match="taken"):
        write_text_atomically(tmp_path / "taken" / "x.srt", "text")


def test_replacing_leaves_no_other_file(tmp_path):
    write_text_atomically(tmp_path / "a.srt", "one")
    write_text_atomically(tmp_path / "a.srt", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["a.srt"]
    assert (tmp_path / "a.srt").read_text() == "two"


def test_a_failed_replacement_keeps_the_old_file(tmp_path):
    (tmp_path / "a.srt").mkdir()
    with pytest.raises(SinkError):
        write_text_atomically(tmp_path / "a.srt", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["a.srt"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space there"),
        (errno.EROFS, "check the permissions there"),
        (errno.ENOTDIR, "a file is where a folder is expected"),
        (errno.EIO, "check the free space and the permissions there"),
    ],
)
def test_an_error_of_the_file_system_says_what_may_be_done(number, advice):
    message = f"cannot write out: .*; {advice}.*another --output-dir"
    with pytest.raises(SinkError, match=message), writing(Path("out")):
        raise OSError(number, os.strerror(number))


def test_standard_output_is_utf8(capfdbinary):
    StandardOutput().write("Привет\n")
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == "Привет\n".encode()


def test_a_reader_that_has_gone_looks_so_on_windows(monkeypatch):
    class Pipe:
        def isatty(self):
            return True

        def write(self, text):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(sys, "stdout", Pipe())
    with pytest.raises(SinkError, match="Invalid argument"):
        StandardOutput().write("line")
    monkeypatch.setattr(files, "WINDOWS", True)
    with pytest.raises(BrokenPipeError):
        StandardOutput().write("line")
