from __future__ import annotations

import pytest

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
