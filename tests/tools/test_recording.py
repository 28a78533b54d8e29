"""The picture of the demo: what it is made of, and whether it shows what the demo shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from quest22.system import WINDOWS
from tests.support.recordings import NANO_IS_HERE

if WINDOWS:
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)
pytest.importorskip("pyte")

from tools import recording

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = re.compile(r"[\d.,:]+")


def texts(picture: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def made(*written: tuple[float, bytes]) -> list[recording.Frame]:
    return recording.frames(written, "it")


def test_a_screen_is_kept_for_each_change() -> None:
    shown = made((0.5, b"one\r\n"), (0.7, b""), (9.0, b"\x1b[1A\x1b[2Ktwo"))
    assert [frame.lines[1][0].text if frame.lines[1] else "" for frame in shown] == [
        "",
        "one",
        "two",
    ]
    assert [frame.seconds for frame in shown] == [0.5, recording.LONGEST_S, recording.LAST_S]


def test_runs_have_places_colours_and_weight() -> None:
    line = made((0.1, b"  \x1b[32mgreen\x1b[0m  \x1b[1mbold face"))[-1].lines[1]
    assert line == (
        recording.Run(2, "green", recording.COLOURS["green"], False),
        recording.Run(9, "bold face", recording.FOREGROUND, True),
    )


def test_many_screens_are_thinned_out() -> None:
    shown = made(*((0.1 * index, f"{index}\r\n".encode()) for index in range(500)))
    assert len(shown) == recording.SCREENS
    assert shown[-1].lines[recording.ROWS - 2][0].text == "499"


def test_the_picture_is_xml_with_each_line_once() -> None:
    picture = recording.svg(made((0.1, b"<a> & b\r\n"), (0.2, b"c")), "x < y")
    assert texts(picture) == ["$ it", "<a> & b", "c"]
    uses = ElementTree.fromstring(picture).iter(f"{SVG}use")
    assert [use.get("href") for use in uses] == ["#l0", "#l0", "#l1", "#l0", "#l1", "#l2"]


def test_the_picture_of_the_demo_is_small() -> None:
    assert len(recording.PICTURE.read_bytes()) < 100_000


@pytest.mark.slow
@pytest.mark.skipif(not NANO_IS_HERE, reason="nano and the samples are not built")
def test_the_picture_shows_what_the_demo_shows(tmp_path: Path) -> None:
    command = (sys.executable, "-m", *recording.COMMAND)
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    shown = {NUMBERS.sub("#", each) for each in texts(recording.PICTURE.read_text("utf-8"))}
    words = set(" ".join(shown).split())
    ending = ended.stdout.partition("40 clips")[2]
    for line in ended.stdout.splitlines()[:1] + ending.splitlines()[1:3]:
        assert set(NUMBERS.sub("#", line).split()) <= words, line
    names = [line.split()[0] for line in ending.splitlines() if line.startswith(" ")]
    assert {"decoder", "encoder"} <= set(names) & words
