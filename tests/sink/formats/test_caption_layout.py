"""Words as captions: small cases, and random documents against openai/whisper's own writers."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import UsageError
from quest22.records import Segment, Transcript, Word
from quest22.settings import CaptionSettings
from quest22.sink.formats.caption_layout import cues
from quest22.sink.formats.captions import CAPTIONS
from tests.support.results import transcript


def spoken(*texts: str, start_s: float = 0.0, step_s: float = 1.0) -> Segment:
    words = tuple(
        Word(start_s + place * step_s, start_s + (place + 1) * step_s, text, 0.5)
        for place, text in enumerate(texts)
    )
    return Segment(start_s, start_s + len(texts) * step_s, "".join(texts), words=words)


FIRST = spoken(" The", " quick", " brown", " fox.", " It", " jumps.")
TALK = transcript(segments=(FIRST, spoken(" Over", " dogs.", start_s=6.0)))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["The quick brown fox. It jumps.", "Over dogs."]),
        ({"max_line_width": 12}, ["The quick\nbrown fox.\nIt jumps.", "Over dogs."]),
        (
            {"max_line_width": 12, "max_line_count": 2},
            ["The quick\nbrown fox.", "It jumps.\nOver dogs."],
        ),
        (
            {"max_words_per_line": 2},
            ["The quick", "brown fox.", "It jumps.", "Over dogs."],
        ),
        ({"sentences": True}, ["The quick brown fox.", "It jumps.", "Over dogs."]),
        (
            {"sentences": True, "max_line_width": 12, "max_line_count": 1},
            ["The quick", "brown fox.", "It jumps.", "Over dogs."],
        ),
    ],
)
def test_words_become_captions(options, expected):
    assert [cue.text for cue in cues(TALK, CaptionSettings(**options))] == expected


def test_each_word_is_underlined_in_its_turn():
    pause = Segment(0.0, 3.0, " a b", words=(Word(0.0, 1.0, " a", 0.5), Word(2.0, 3.0, " b", 0.5)))
    found = cues(transcript(segments=(pause,)), CaptionSettings(highlight_words=True))
    assert [(cue.start_s, cue.end_s, cue.text) for cue in found] == [
        (0.0, 1.0, "<u>a</u> b"),
        (1.0, 2.0, "a b"),
        (2.0, 3.0, "a <u>b</u>"),
    ]


def test_a_long_pause_ends_a_caption_that_has_room():
    talk = transcript(segments=(spoken(" a"), spoken(" b", start_s=9.0)))
    settings = CaptionSettings(max_line_width=40, max_line_count=2)
    assert [cue.text for cue in cues(talk, settings)] == ["a", "b"]


def test_words_cannot_break_the_format():
    talk = transcript(segments=(spoken(" a", " -->", " \n\n b"),))
    assert [cue.text for cue in cues(talk, CaptionSettings(caption_length=None))] == ["a ->\nb"]
    assert [cue.text for cue in cues(talk, CaptionSettings())] == ["a -> b"]


LONG = spoken(*[f" {'word' * (1 + place % 3)}{',' * (place == 11)}" for place in range(20)])


def test_long_captions_are_split_unless_they_are_laid_out_or_it_is_off():
    talk = transcript(segments=(LONG,))
    by_words = {
        "max_line_width": 100,
        "max_words_per_line": 99,
        "highlight_words": True,
        "sentences": True,
    }
    whole = {cue.text for cue in cues(talk, CaptionSettings(caption_length=None))}
    assert len(whole) == 1
    for name, value in by_words.items():
        either = [
            list(cues(talk, CaptionSettings(caption_length=length, **{name: value})))
            for length in (84, None)
        ]
        assert either[0] == either[1]
    assert len(list(cues(talk, CaptionSettings()))) > 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_line_width": 0}, "max_line_width is 0: expected 1 or more"),
        ({"max_line_count": 2}, "requires max_line_width"),
    ],
)
def test_limits_that_cannot_be_kept(options, message):
    with pytest.raises(UsageError, match=message):
        CaptionSettings(**options)


PIECES = st.sampled_from([" a", " the", " longer", " word", ".", "!", "-like", "日", " ёж", " 12"])
TIMES = st.floats(0, 4).map(lambda value: round(value, 2))


@st.composite
def documents(draw: st.DrawFn, *, words: bool) -> Transcript:
    """Segments with words one after the other, with pauses between them."""
    segments = []
    at = draw(st.sampled_from([0.0, 3590.0]))
    for _ in range(draw(st.integers(1, 4))):
        made = []
        for text in draw(st.lists(PIECES, min_size=1, max_size=8)):
            start_s = round(at + draw(TIMES), 2)
            at = round(start_s + draw(TIMES), 2)
            made.append(Word(start_s, at, text, 0.5))
        text = "".join(word.text for word in made)
        kept = tuple(made) if words else None
        segments.append(Segment(made[0].start_s, made[-1].end_s, text, (1, 2), words=kept))
    return transcript(text="".join(each.text for each in segments), segments=tuple(segments))


LIMITS = st.none() | st.integers(1, 20)


@st.composite
def layouts(draw: st.DrawFn) -> CaptionSettings:
    width = draw(LIMITS)
    return CaptionSettings(
        caption_length=None,
        max_line_width=width,
        max_line_count=draw(st.none() | st.integers(1, 3)) if width else None,
        max_words_per_line=draw(LIMITS),
        highlight_words=draw(st.booleans()),
    )


def reference(name: str, document: Transcript, settings: CaptionSettings) -> str:
    """What openai/whisper's writer of a format gives."""
    utils = pytest.importorskip("whisper.utils", reason="openai-whisper is not installed")
    ours = ("sentences", "caption_length")
    options = {key: value for key, value in asdict(settings).items() if key not in ours}
    written = io.StringIO()
    utils.get_writer(name, "").write_result(_result(document), written, options)
    return written.getvalue()


def _result(document: Transcript) -> dict[str, Any]:
    return {
        "text": document.text,
        "segments": [
            {
                "id": index,
                "seek": round(segment.start_s * 100),
                "start": segment.start_s,
                "end": segment.end_s,
                "text": segment.text,
                "tokens": list(segment.tokens),
                "temperature": segment.temperature,
                "avg_logprob": segment.avg_logprob,
                "compression_ratio": segment.compression_ratio,
                "no_speech_prob": segment.no_speech_prob,
                **_words(segment),
            }
            for index, segment in enumerate(document.segments)
        ],
        "language": document.language,
    }


def _words(segment: Segment) -> dict[str, Any]:
    if segment.words is None:
        return {}
    return {
        "words": [
            {
                "word": word.text,
                "start": word.start_s,
                "end": word.end_s,
                "probability": word.probability,
            }
            for word in segment.words
        ]
    }


@pytest.mark.reference
@pytest.mark.parametrize("name", ["txt", "srt", "vtt", "tsv"])
@given(document=documents(words=True) | documents(words=False), settings=layouts())
def test_documents_are_those_of_openai_whisper(name, document, settings):
    assert CAPTIONS[name](document, settings) == reference(name, document, settings)


@pytest.mark.reference
@given(document=documents(words=True) | documents(words=False), settings=layouts())
def test_json_holds_what_openai_whisper_writes(document, settings):
    """The same values in the same order; letters stay as they are, and a line break ends it."""
    made = CAPTIONS["json"](document, settings)
    expected = reference("json", document, settings)
    assert list(json.loads(made).items()) == list(json.loads(expected).items())
    assert json.dumps(json.loads(made)) == expected
