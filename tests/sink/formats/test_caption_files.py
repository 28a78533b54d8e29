from __future__ import annotations

import pytest

from quest22.records import Partial, Segment
from quest22.settings import CaptionSettings
from quest22.sink.file_names import OutputNames
from quest22.sink.formats.caption_files import CaptionFilesSink, CaptionStreamSink
from tests.support.results import failure, transcript


class Output:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def publish(self) -> int:
        return 0

    def close(self) -> None:
        self.text += "closed"


@pytest.mark.parametrize("durable", [False, True])
def test_each_clip_gets_a_file_for_each_format(tmp_path, durable):
    names = OutputNames(tmp_path, tmp_path / "names.jsonl")
    sink = CaptionFilesSink(names, ("txt", "srt"), CaptionSettings(), durable=durable)
    for result in (transcript("a/talk.mp3"), failure(), transcript("a/talk.wav")):
        sink.write(result)
    assert sink.publish()["bytes"] == (tmp_path / "names.jsonl").stat().st_size
    sink.close()
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    captions = {f"a/{stem}.{kind}" for stem in ("talk", "talk-2") for kind in ("txt", "srt")}
    assert files == {*captions, "names.jsonl"}
    assert (tmp_path / "a" / "talk.txt").read_text() == "Hello there.\n"


def test_a_stream_holds_all_documents_in_order():
    output = Output()
    sink = CaptionStreamSink(output, "txt", CaptionSettings())
    for result in (transcript("a", " One."), failure(), transcript("b", " Two.")):
        sink.write(result)
    sink.close()
    assert output.text == "One.\nTwo.\nclosed"


ONE, TWO = Segment(0.0, 1.0, " One."), Segment(1.0, 2.0, " Two.", language="en")


def grown(name="txt", settings=CaptionSettings(), *, live=False):  # noqa: B008
    output = Output()
    return CaptionStreamSink(output, name, settings, live=live), output


def test_on_a_terminal_text_appears_as_it_comes():
    sink, output = grown(live=True)
    sink.grow("a", Partial((), " on"))
    assert output.text == ""
    sink.grow("a", Partial((ONE,), " tw"))
    assert output.text == "One.\n"
    sink.write(transcript("a", " One. Two.", segments=(ONE, TWO)))
    sink.write(transcript("b", " Three."))
    sink.close()
    assert output.text == "One.\nTwo.\nThree.\nclosed"


def test_a_text_that_came_out_otherwise_is_written_anew():
    sink, output = grown(live=True)
    sink.grow("a", Partial((ONE,)))
    sink.write(transcript("a", " Two.", segments=(TWO,)))
    assert output.text == "One.\nTwo.\n"


@pytest.mark.parametrize(
    ("settings", "live"), [(CaptionSettings(), False), (CaptionSettings(sentences=True), True)]
)
def test_elsewhere_it_is_written_when_it_is_complete(settings, live):
    sink, output = grown(settings=settings, live=live)
    sink.grow("a", Partial((ONE,)))
    assert output.text == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("txt", "One.\ntw\nclosed"),
        ("srt", "1\n00:00:00,000 --> 00:00:01,000\nOne.\n\nclosed"),
        ("json", "closed"),
    ],
)
def test_a_run_that_ends_early_leaves_the_text_so_far(name, text):
    sink, output = grown(name)
    sink.grow("a", Partial((ONE,), " tw"))
    sink.close()
    assert output.text == text


def test_a_clip_that_failed_leaves_nothing_more():
    sink, output = grown()
    sink.grow("a", Partial((ONE,)))
    sink.write(failure("a"))
    sink.close()
    assert output.text == "closed"
