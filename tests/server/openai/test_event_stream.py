"""The deltas are the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quest22.records import Origin, Partial, Segment, Transcript
from quest22.server.openai.event_stream import TranscriptEvents
from quest22.server.openai.parameters import read_request

TEXTS = st.lists(st.text(" ab\n.", max_size=5), max_size=6)


def transcript(segments: list[Segment]) -> Transcript:
    text = "".join(each.text for each in segments).strip()
    return Transcript("k", "n", text, "en", 1.0, 3.0, tuple(segments), Origin("test"))


@given(TEXTS, st.lists(st.integers(0, 6)), st.sampled_from(["json", "diarized_json"]))
def test_joined_deltas_are_the_text(texts: list[str], stops: list[int], shape: str) -> None:
    segments = [Segment(index, index + 1, text) for index, text in enumerate(texts)]
    events = TranscriptEvents(read_request([("response_format", shape)], "transcribe"))
    told = []
    for stop in sorted(stops):
        told += events.progressed(Partial(tuple(segments[:stop]), "later"))
    told += events.ended(transcript(segments))
    deltas = [each["delta"] for each in told if each["type"].endswith("delta")]
    assert told[-1]["type"] == "transcript.text.done"
    assert "".join(deltas) == told[-1]["text"]
    assert all(deltas)
    spoken = [each for each in told if each["type"].endswith("segment")]
    assert len(spoken) == (shape != "json") * sum(bool(text.strip()) for text in texts)


def test_a_model_without_segments() -> None:
    events = TranscriptEvents(read_request([], "transcribe"))
    whole = Transcript("k", "n", "all of it", "en", 1.0, 3.0, (), Origin("test"))
    told = list(events.ended(whole))
    assert told[0]["delta"] == told[1]["text"] == "all of it"
