"""A recording's transcript as an answer."""

from __future__ import annotations

from quest22.records import Origin, Segment, Transcript, Word
from quest22.server.deepgram.parameters import Formatting
from quest22.server.deepgram.response import Layout, results

TEXT = " Good day. How are you? Well."


def heard(text: str = TEXT, pause_s: float = 0.0, *, words: bool = True) -> Transcript:
    """Words of half a second; a pause after each sentence."""
    found, at_s = [], 0.0
    for each in text.split():
        found.append(Word(at_s, at_s + 0.5, f" {each}", 0.8))
        at_s += 0.5 + (pause_s if each[-1] in ".?" else 0.0)
    segment = Segment(0.0, at_s, text, words=tuple(found) if words else None, avg_logprob=-0.1)
    return Transcript("k", "n", text.strip(), "en", 0.97, at_s, (segment,), Origin("x"))


def layout(
    *, utterances: bool = False, paragraphs: bool = False, tells_language: bool = False
) -> Layout:
    return Layout(utterances, 0.8, paragraphs, tells_language)


def test_only_the_text() -> None:
    found = results([heard()], layout(), Formatting(punctuated=True))
    (channel,) = found["channels"]
    assert list(found) == ["channels"]
    assert list(channel) == ["alternatives"]
    (text,) = channel["alternatives"]
    assert text["transcript"] == TEXT.strip()
    assert text["confidence"] == 0.8
    assert text["words"][1] == {
        "word": "day",
        "start": 0.5,
        "end": 1.0,
        "confidence": 0.8,
        "punctuated_word": "day.",
    }


def test_utterances_are_cut_at_pauses_and_in_order() -> None:
    channels = [heard(pause_s=1.0), heard(" Yes")]
    found = results(channels, layout(utterances=True), Formatting())
    assert [
        (each["channel"], each["transcript"], each["start"]) for each in found["utterances"]
    ] == [(0, "good day", 0.0), (1, "yes", 0.0), (0, "how are you", 2.0), (0, "well", 4.5)]
    assert len({each["id"] for each in found["utterances"]}) == 4


def test_paragraphs() -> None:
    found = results([heard(pause_s=2.0)], layout(paragraphs=True), Formatting())
    text = found["channels"][0]["alternatives"][0]["paragraphs"]
    assert text["transcript"] == "\nGood day.\n\nHow are you?\n\nWell."
    assert text["paragraphs"][1] == {
        "sentences": [{"text": "How are you?", "start": 3.0, "end": 4.5}],
        "num_words": 3,
        "start": 3.0,
        "end": 4.5,
    }


def test_a_paragraph_has_five_sentences_at_most() -> None:
    found = results([heard(" A." * 12)], layout(paragraphs=True), Formatting())
    text = found["channels"][0]["alternatives"][0]["paragraphs"]
    assert [each["num_words"] for each in text["paragraphs"]] == [5, 5, 2]


def test_the_language_that_was_detected() -> None:
    found = results([heard()], layout(tells_language=True), Formatting(tells_language=True))
    (channel,) = found["channels"]
    assert (channel["detected_language"], channel["language_confidence"]) == ("en", 0.97)
    assert channel["alternatives"][0]["languages"] == ["en"]


def test_a_segment_without_words() -> None:
    found = results([heard(words=False)], layout(), Formatting(punctuated=True))
    text = found["channels"][0]["alternatives"][0]
    assert text["transcript"] == TEXT.strip()
    assert 0.8 < text["confidence"] < 1


def test_nobody_spoke() -> None:
    silent = Transcript("k", "n", "", None, 0.0, 1.0, (), Origin("x"))
    found = results([silent], layout(utterances=True, paragraphs=True), Formatting())
    assert found["utterances"] == []
    text = found["channels"][0]["alternatives"][0]
    assert text["paragraphs"] == {"transcript": "", "paragraphs": []}
