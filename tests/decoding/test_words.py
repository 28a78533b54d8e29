from __future__ import annotations

from itertools import pairwise
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.decoding.words import TokenTimes, WordTimer, last_word_end
from quest22.records import Alignment, Segment
from quest22.settings import DecodingSettings

PIECES = [" the", " cat", " sat", "s", ".", ",", " (", ")", " -", "!", ' "', '"', " ", " so"]
PICKED = st.lists(st.integers(0, len(PIECES) - 1), min_size=1, max_size=25)


class Pieces:
    """Tokens are places in PIECES; 100 ends the text, as openai/whisper's tokenizer has it."""

    eot = 100
    language = "en"

    def decode(self, tokens):
        return "".join(PIECES[token] if token < self.eot else "" for token in tokens)


def timed(tokens, gaps, offset_s=0.0):
    bounds = [0.0]
    for _, gap in zip(tokens, gaps, strict=False):
        bounds.append(round(bounds[-1] * 50 + gap) / 50)
    shares = tuple(1 / (place + 1) for place in range(len(tokens)))
    return TokenTimes.of(Alignment(tuple(bounds), shares), offset_s)


def said(*pieces):
    return [PIECES.index(piece) for piece in pieces]


def one_segment(tokens, gaps, start_s=0.0, end_s=30.0):
    segment = Segment(start_s, end_s, Pieces().decode(tokens), tuple(tokens))
    (found,) = WordTimer(Pieces()).add_words([segment], timed(tokens, gaps), "en", 0.0)
    return found


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ((" the", " cat", "."), [" the", " cat."]),
        ((" the", " cat", "s", "!"), [" the", " cats!"]),
        ((" (", " the", " cat", ")", "."), [" ( the", " cat)."]),
        ((" the", " -", " cat"), [" the", " - cat"]),
        (('"', " the"), ['"', " the"]),
    ],
)
def test_punctuation_joins_its_words(pieces, words):
    found = one_segment(said(*pieces), [10] * len(pieces))
    assert [word.text for word in found.words] == words


def test_joined_punctuation_changes_neither_times_nor_probability():
    found = one_segment(said(" (", " the", ")"), [10, 20, 10])
    (word,) = found.words
    assert (word.text, word.start_s, word.end_s, word.probability) == (" ( the)", 0.2, 0.6, 1 / 2)


def test_a_segment_begins_and_ends_with_its_words():
    found = one_segment(said(" the", " cat", " sat"), [10, 10, 10], 0.1, 0.9)
    assert (found.start_s, found.end_s) == (0.0, 0.6)


def test_a_first_word_that_swallowed_a_pause_is_shortened():
    found = one_segment(said(" the", " cat", " sat"), [400, 20, 20], 0.0, 8.8)
    borders = [time_s for word in found.words for time_s in (word.start_s, word.end_s)]
    assert borders == pytest.approx([7.2, 8.0, 8.0, 8.4, 8.4, 8.8])
    assert found.start_s == pytest.approx(7.2)


def test_no_words_unless_asked_for():
    assert WordTimer.of(DecodingSettings(), Pieces()) is None
    timer = WordTimer.of(DecodingSettings(word_timestamps=True, append_punctuations=""), Pieces())
    assert timer is not None
    assert timer.appended == ""


def test_a_segment_without_text_has_no_words():
    segments = [Segment(0.0, 1.0, ""), Segment(1.0, 2.0, " cat", tuple(said(" cat")))]
    found = WordTimer(Pieces()).add_words(segments, timed(said(" cat"), [10]), "en", 0.0)
    assert [each.words and len(each.words) for each in found] == [(), 1]
    assert (found[0].start_s, found[0].end_s) == (0.0, 1.0)
    assert last_word_end(found) == 0.2
    assert last_word_end(found[:1]) is None


@st.composite
def talks(draw):
    """Segments of tokens that begin with a word, their times, and where speech last ended."""
    texts = draw(st.lists(PICKED, min_size=1, max_size=4))
    texts = [[0, *text, 1] for text in texts]
    count = sum(map(len, texts))
    gaps = draw(st.lists(st.sampled_from([0, 1, 5, 10, 20, 60]), min_size=count, max_size=count))
    times = timed(range(count), gaps)
    segments, at = [], 0
    for text in texts:
        shift = draw(st.sampled_from([-0.8, -0.2, 0.0, 0.2, 0.8]))
        start_s = max(0.0, times.spans_s[at][0] + shift)
        at += len(text)
        end_s = max(start_s, times.spans_s[at - 1][1] - shift)
        segments.append(Segment(start_s, end_s, Pieces().decode(text), tuple(text)))
    return segments, times, draw(st.sampled_from([0.0, 3.0]))


@given(talks())
def test_words_joined_are_the_text(talk):
    segments, times, last_s = talk
    found = WordTimer(Pieces()).add_words(segments, times, "en", last_s)
    words = [word for segment in found for word in segment.words or ()]
    assert "".join(word.text for word in words) == "".join(each.text for each in segments)
    assert all(word.start_s <= word.end_s for word in words)


@given(talks())
def test_segments_follow_one_another(talk):
    segments, times, _ = talk
    found = WordTimer(Pieces()).add_words(segments, times, "en", 0.0)
    assert all(before.end_s <= after.end_s for before, after in pairwise(found))


@pytest.mark.reference
@given(talks(), st.sampled_from([0.0, 30.0, 12.34]))
def test_words_are_openai_whispers(talk, offset_s):
    segments, times, last_s = talk
    placed = TokenTimes(offset_s, times.spans_s, times.probabilities)
    moved = [
        Segment(each.start_s + offset_s, each.end_s + offset_s, each.text, each.tokens)
        for each in segments
    ]
    found = WordTimer(Pieces()).add_words(moved, placed, "en", last_s)
    expected = reference(moved, placed, last_s)
    for ours, theirs in zip(found, expected, strict=True):
        words = [(word.text, word.start_s, word.end_s, word.probability) for word in ours.words]
        assert words == [
            (word["word"], word["start"], word["end"], word["probability"])
            for word in theirs["words"]
        ]
        assert (ours.start_s, ours.end_s) == (theirs["start"], theirs["end"])


def reference(segments, times, last_s):
    """``add_word_timestamps`` with the alignment given."""
    timing = pytest.importorskip("whisper.timing", reason="openai-whisper is not installed")
    from quest22.checkpoint.word_splitting import split_to_words

    def alignment(*_args, **_options):
        made, at = [], 0
        tokens = [token for segment in segments for token in segment.tokens]
        for word in split_to_words(tokens, Pieces(), "en"):
            stop = at + len(word.tokens)
            share = sum(times.probabilities[at:stop]) / (stop - at)
            span = times.spans_s[at][0], times.spans_s[stop - 1][1]
            made.append(timing.WordTiming(word.text, list(word.tokens), *span, share))
            at = stop
        return made

    made = [
        {
            "seek": times.offset_s * 100,
            "start": each.start_s,
            "end": each.end_s,
            "tokens": list(each.tokens),
        }
        for each in segments
    ]
    with patch.object(timing, "find_alignment", alignment):
        timing.add_word_timestamps(
            segments=made,
            model=None,
            tokenizer=Pieces(),
            mel=None,
            num_frames=0,
            last_speech_timestamp=last_s,
        )
    return made
