from __future__ import annotations

import json

import pytest

from quest22.cli.live.speaker import Speaker
from quest22.cli.live.views import EventLines, FinalLines, View
from quest22.settings import CaptionSettings
from quest22.sink.formats.live_documents import live_document
from quest22.sink.formats.live_events import event_fields
from tests.support.live_events import event, final

TALK = [
    event("interim", 0, "good"),
    event("committed", 0, "good morn", 1),
    final(0, "Good morning."),
    final(1, ""),
]


class Written(list[str]):
    """An output that keeps what it is given, write by write."""

    def write(self, text: str) -> None:
        self.append(text)

    def publish(self) -> dict[str, object]:
        return {}

    def close(self) -> None:
        """Nothing is held."""


def shown(view: View, *names: str) -> None:
    with view:
        for number, name in enumerate(names, start=1):
            for each in TALK:
                view.show(Speaker(number, name), each)
        view.tick([], "")


def test_every_event_is_a_line_at_once() -> None:
    written = Written()
    shown(EventLines(written, named=False), "talk")
    assert [json.loads(line) for line in written] == [event_fields(each) for each in TALK]
    assert all(line.endswith("}\n") for line in written)


def test_events_of_clients_say_whose_they_are() -> None:
    written = Written()
    shown(EventLines(written, named=True), "a", "b")
    assert [json.loads(line)["source"] for line in written] == ["a"] * 4 + ["b"] * 4


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("txt", ["Good morning.\n"]),
        ("srt", ["1\n00:00:00,000 --> 00:00:01,000\nGood morning.\n\n"]),
        ("vtt", ["WEBVTT\n\n", "00:00.000 --> 00:01.000\nGood morning.\n\n"]),
    ],
)
def test_what_is_final_is_written_at_once(name: str, text: list[str]) -> None:
    written = Written()
    shown(FinalLines(written, live_document(name, CaptionSettings()), named=False), "talk")
    assert written == text


def test_events_of_channels_say_which_it_is() -> None:
    written = Written()
    view = EventLines(written, named=True)
    view.show(Speaker(2, "[RIGHT]", 1), TALK[0])
    assert json.loads(written[0]) == {**event_fields(TALK[0]), "channel": 1}


def test_lines_of_clients_say_whose_they_are() -> None:
    written = Written()
    shown(FinalLines(written, live_document("txt", CaptionSettings()), named=True), "a", "b")
    assert written == ["a: Good morning.\n", "b: Good morning.\n"]
