import numpy as np
import pytest

from quest22.bench.live.speech import DEFAULT_VOICES, sentences, synthesised
from quest22.bench.live.tokens import tokens_of
from quest22.bench.live.voices import voice_named
from quest22.errors import UsageError


@pytest.fixture(scope="module", autouse=True)
def voices() -> None:
    try:
        synthesised(1)
    except UsageError as error:
        pytest.skip(str(error))


def test_the_same_seed_says_the_same():
    one, same, other = (synthesised(10, seed=seed) for seed in (1, 1, 2))
    assert one.words == same.words != other.words
    assert one.duration_s == same.duration_s  # espeak-ng's noise is not the same


def test_words_are_where_they_are_said():
    sound = synthesised(30)
    ends = [word.end_s for word in sound.words if word.end_s is not None]
    assert ends == sorted(ends)
    assert len(ends) > 0.8 * len(sound.words)
    assert 30 <= sound.duration_s < 45
    assert ends[-1] < sound.duration_s
    assert np.abs(sound.samples).max() <= 1


@pytest.mark.parametrize("voice", DEFAULT_VOICES)
def test_every_voice_says_every_sentence(voice: str):
    for text in sentences():
        assert len(voice_named(voice)(text).ends_s) == len(text.split())


def test_sentences_have_plain_words():
    for text in sentences():
        for word in text.split():
            assert len(tokens_of(word, "en")) == 1, word
