"""A live session's events as messages: what is final follows without gaps."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quest22.records import LiveEvent, LiveEventType
from quest22.server.deepgram.parameters import Formatting, LiveParameters
from quest22.server.deepgram.results import PIECE_S, ChannelResults
from tests.support.live_events import words

EVERYTHING = LiveParameters(
    interim_results=True, endpointing_ms=300, utterance_end_s=1.0, vad_events=True
)
NOTHING = LiveParameters(
    interim_results=False, endpointing_ms=None, utterance_end_s=None, vad_events=False
)


def results(wanted: LiveParameters = EVERYTHING) -> ChannelResults:
    return ChannelResults(0, 1, wanted, Formatting(), {"request_id": "r"})


def event(
    kind: LiveEventType,
    heard_s: float,
    text: str = "",
    stable: int = 0,
    start_s: float = 0.0,
    segment: int = 0,
) -> LiveEvent:
    """Words take half a second each."""
    said = words(text, start_s, None if kind == "final" else stable)
    return LiveEvent(kind, segment, 0, text, said, heard_s, "en")


def text(message: dict[str, Any]) -> str:
    return str(message["channel"]["alternatives"][0]["transcript"])


def brief(messages: list[dict[str, Any]]) -> list[tuple[str, float, float, bool, bool]]:
    return [
        (text(each), each["start"], each["duration"], each["is_final"], each["speech_final"])
        for each in messages
    ]


def test_a_segment_from_its_beginning_to_its_end() -> None:
    channel = results()
    assert channel.take(event("speech_started", 0.5)) == [
        {"type": "SpeechStarted", "channel": [0, 1], "timestamp": 0.5}
    ]
    assert brief(channel.take(event("interim", 1.0, "good"))) == [("good", 0, 1.0, False, False)]
    assert brief(channel.take(event("committed", 1.5, "good day", 1))) == [
        ("good day", 0, 1.5, False, False)
    ]
    assert channel.take(event("speech_stopped", 1.6)) == []
    assert brief(channel.take(event("final", 2.0, "good day"))) == [
        ("good day", 0, 2.0, True, True)
    ]
    assert brief(channel.take(event("interim", 3.0, "next", start_s=2.2))) == [
        ("next", 2.0, 1.0, False, False)
    ]


def test_a_message_has_all_fields() -> None:
    (message,) = results().take(event("interim", 1.0, "Good"))
    assert message == {
        "type": "Results",
        "channel_index": [0, 1],
        "duration": 1.0,
        "start": 0.0,
        "is_final": False,
        "speech_final": False,
        "channel": {
            "alternatives": [
                {
                    "transcript": "good",
                    "confidence": 0.9,
                    "words": [{"word": "good", "start": 0.0, "end": 0.5, "confidence": 0.9}],
                }
            ]
        },
        "metadata": {"request_id": "r"},
        "from_finalize": False,
    }


def test_what_stays_of_long_speech_is_final_at_once() -> None:
    channel = results()
    spoken = "one two three four five six seven"
    found = channel.take(event("committed", 4.0, spoken, 6))
    assert brief(found) == [
        ("one two three four five six", 0, PIECE_S, True, False),
        ("seven", 3.0, 1.0, False, False),
    ]
    channel.take(event("speech_stopped", 4.0))
    assert brief(channel.take(event("final", 4.2, spoken))) == [("seven", 3.0, 1.2, True, True)]


def test_without_interim_results() -> None:
    channel = results(NOTHING)
    assert channel.take(event("speech_started", 0.0)) == []
    assert channel.take(event("committed", 1.0, "a b", 1)) == []
    channel.take(event("speech_stopped", 1.0))
    assert brief(channel.take(event("final", 1.4, "a b"))) == [("a b", 0, 1.4, True, False)]


def test_text_that_goes_again() -> None:
    channel = results()
    channel.take(event("interim", 1.0, "noise"))
    assert brief(channel.take(event("interim", 1.5))) == [("", 0, 1.5, False, False)]
    assert channel.take(event("interim", 1.8)) == []
    channel.take(event("speech_stopped", 1.8))
    assert brief(channel.take(event("final", 2.0))) == [("", 0, 2.0, True, True)]


def test_speech_too_long_for_a_segment_has_no_endpoint() -> None:
    channel = results()
    channel.take(event("speech_started", 0.0))
    assert brief(channel.take(event("final", 28.0, "a b"))) == [("a b", 0, 1.0, True, False)]
    assert brief(channel.take(event("interim", 28.5, "c", start_s=1.0, segment=1))) == [
        ("c", 1.0, 27.5, False, False)
    ]


def test_finalize() -> None:
    channel = results()
    channel.take(event("speech_started", 0.0))
    channel.take(event("speech_stopped", 1.0))
    (message,) = channel.take(event("final", 1.0, "so"), by_finalize=True)
    assert message["from_finalize"]
    assert message["speech_final"]
    (nothing,) = channel.take(event("flushed", 1.5))
    assert brief([nothing]) == [("", 1.0, 0.5, True, False)]
    assert nothing["from_finalize"]


def test_the_end_of_an_utterance() -> None:
    channel = results()
    channel.take(event("speech_started", 0.0))
    assert channel.audio_processed(9.0) == []
    channel.take(event("speech_stopped", 1.0))
    channel.take(event("final", 1.3, "a b"))
    assert channel.audio_processed(2.05) == []
    assert channel.audio_processed(2.1) == [
        {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 1.0}
    ]
    assert channel.audio_processed(9.0) == []


def test_speech_within_the_gap_is_the_same_utterance() -> None:
    channel = results()
    channel.take(event("speech_started", 0.0))
    channel.take(event("speech_stopped", 1.0))
    channel.take(event("final", 1.3, "a b"))
    assert [each["type"] for each in channel.take(event("speech_started", 1.8))] == [
        "SpeechStarted"
    ]
    assert channel.audio_processed(9.0) == []


def test_a_gap_that_speech_ends_unseen() -> None:
    channel = results()
    channel.take(event("speech_stopped", 1.0))
    channel.take(event("final", 1.3, "a b"))
    assert [each["type"] for each in channel.take(event("speech_started", 4.0))] == [
        "UtteranceEnd",
        "SpeechStarted",
    ]


def test_the_end() -> None:
    channel = results()
    channel.take(event("speech_stopped", 1.0))
    channel.take(event("final", 1.3, "a b"))
    assert brief(channel.end(2.0)) == [("", 1.3, 0.7, True, False)]
    assert channel.end(2.0) == []


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20), st.booleans()), max_size=8))
def test_final_results_are_all_of_the_sound(segments: list[tuple[int, int, bool]]) -> None:
    channel, at_s, messages, said = results(), 0.0, [], []
    for segment, (count, stable, stops) in enumerate(segments):
        spoken = " ".join(f"w{segment}x{number}" for number in range(count))
        end_s = at_s + count / 2
        begun = event("committed", end_s + 0.2, spoken, stable, at_s, segment)
        messages += channel.take(begun)
        if stops:
            channel.take(event("speech_stopped", end_s))
        messages += channel.take(event("final", end_s + 0.3, spoken, 0, at_s, segment))
        said.append(spoken)
        at_s = end_s + 0.4
    messages += channel.end(at_s)
    finals = [each for each in messages if each["is_final"]]
    assert " ".join(text(each) for each in finals if text(each)) == " ".join(said)
    place = 0.0
    for message in finals:
        assert abs(message["start"] - place) < 1e-6
        place = message["start"] + message["duration"]
        for word in message["channel"]["alternatives"][0]["words"]:
            assert message["start"] <= word["start"] <= word["end"] <= place + 1e-6
    assert abs(place - at_s) < 2e-3
