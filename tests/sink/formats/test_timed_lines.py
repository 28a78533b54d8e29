from __future__ import annotations

from io import BytesIO

import av
import pytest

from quest22.records import Segment, Word
from quest22.settings import CaptionSettings
from quest22.sink.formats.timed_lines import ass, lrc
from tests.support.results import transcript

PLAIN = CaptionSettings(caption_length=None)


def of(*segments: Segment):
    return transcript(text="".join(each.text for each in segments), segments=segments)


TALK = of(
    Segment(0.0, 1.504, " Hello there."),
    Segment(1.5, 2.0, " [Music]"),
    Segment(3661.25, 3662.999, " General {Kenobi}, \\N you."),
)


def test_lyrics() -> None:
    assert lrc(TALK, PLAIN) == (
        "[00:00.00]Hello there.\n"
        "[00:01.50] [Music]\n"
        "[00:02.00]\n"
        "[61:01.25]General {Kenobi}, \\N you.\n"
        "[61:03.00]\n"
    )


def dialogues(document: str) -> list[str]:
    return [line for line in document.splitlines() if line.startswith("Dialogue:")]


def test_substation_alpha() -> None:
    assert dialogues(ass(TALK, PLAIN)) == [
        "Dialogue: 0,0:00:00.00,0:00:01.50,Default,,0,0,0,,Hello there.",
        "Dialogue: 0,0:00:01.50,0:00:02.00,Default,,0,0,0,,[Music]",
        "Dialogue: 0,1:01:01.25,1:01:03.00,Default,,0,0,0,,General \\{Kenobi\\}, \\\u2060N you.",
    ]


LONG = " ".join(["a rather long sentence that goes on"] * 4)


def test_long_texts_are_split_as_in_srt() -> None:
    talk = of(Segment(0.0, 9.0, LONG))
    shown = dialogues(ass(talk, CaptionSettings()))
    assert len(shown) > 1
    assert any("\\N" in each for each in shown)
    assert not any("\\N" in line for line in lrc(talk, CaptionSettings()).splitlines())


def test_the_spoken_word_is_underlined() -> None:
    words = (Word(0.0, 0.5, " one", 1.0), Word(0.5, 1.0, " two", 1.0))
    talk = of(Segment(0.0, 1.0, " one two", words=words))
    settings = CaptionSettings(highlight_words=True)
    assert [each.rpartition(",")[2] for each in dialogues(ass(talk, settings))] == [
        "{\\u1}one{\\u0} two",
        "one {\\u1}two{\\u0}",
    ]
    assert lrc(talk, settings) == "[00:00.00]one two\n[00:01.00]\n"


@pytest.mark.parametrize(("write", "form"), [(ass, "ass"), (lrc, "lrc")])
def test_ffmpeg_reads_what_was_written(write, form: str) -> None:
    document = write(TALK, PLAIN)
    with av.open(BytesIO(document.encode()), format=form) as container:
        texts = [bytes(packet).decode() for packet in container.demux() if packet.size]
    assert len(texts) >= 3
    assert "Hello there." in texts[0]
