import numpy as np
import pytest

from quest22.bench.live.voices import VOICES, voice_named
from quest22.bench.live.voices.espeak import Mark, word_ends
from quest22.bench.live.voices.spoken import Spoken, open_library
from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ

TEXT = "When the rain stopped, the children ran into the garden."


def say(voice: str, text: str) -> Spoken:
    try:
        return voice_named(voice)(text)
    except UsageError as error:
        if "is not on this machine" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("voice", VOICES)
def test_words_end_where_the_sound_does(voice: str):
    spoken = say(voice, TEXT)
    ends = [end for end in spoken.ends_s if end is not None]
    assert len(spoken.ends_s) == len(TEXT.split())
    assert ends == sorted(ends)
    stopped, last = spoken.ends_s[3], spoken.ends_s[-1]
    assert stopped is not None
    assert last is not None
    loudest = level(spoken, 0.0, last)
    assert level(spoken, stopped + 0.03, stopped + 0.1) < 0.05 * loudest  # the pause at the comma
    assert level(spoken, last + 0.03, last + 0.3) < 0.05 * loudest
    assert level(spoken, last - 0.15, last) > 0.1 * loudest


def level(spoken: Spoken, start_s: float, end_s: float) -> float:
    """The root mean square between two times; 0 after the end."""
    part = spoken.samples[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]
    return float(np.sqrt(np.mean(part**2))) if len(part) else 0.0


def test_flite_refuses_words_that_it_says_otherwise():
    say("flite:slt", TEXT)
    with pytest.raises(UsageError, match="flite says"):
        voice_named("flite:slt")("He paid 1250 dollars.")


def test_a_voice_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="unknown voice 'festival': expected flite:slt"):
        voice_named("festival")


def test_a_missing_synthesiser_is_named():
    with pytest.raises(UsageError, match="apt-get install nospeech"):
        open_library("libnospeech.so.1", "nospeech")


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([(0, 0), (10, None), (50, 3), (90, 7)], [50, 90, 100]),
        ([(0, 0), (40, "pause"), (50, 3), (90, 7), (95, "pause")], [40, 90, 95]),
        ([(0, 0), (60, 7)], [None, 60, 100]),  # "on the" said as one
        ([(0, 0), (20, "pause"), (30, None), (50, 3), (90, 7)], [50, 90, 100]),  # within a word
        ([(0, "pause"), (5, 0), (50, 3), (60, 3), (90, 7)], [50, 90, 100]),  # one word in two parts
        ([], [None, None, 100]),
    ],
)
def test_ends_of_words_from_espeaks_events(marks, expected):
    events = [
        Mark(sample, is_pause=True) if kind == "pause" else Mark(sample, kind)
        for sample, kind in marks
    ]
    assert word_ends(events, 100, starts=[0, 3, 7]) == expected
