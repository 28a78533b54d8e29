import pytest

from quest22.audio.vad.endpoints import Span
from quest22.bench.live.offline import TimedWord, within_speech


@pytest.mark.parametrize(
    ("end_s", "expected"),
    [
        (1.4, 1.6),  # near the end of the speech, it ends with it
        (1.9, 1.6),
        (2.6, 1.6),  # into the silence
        (1.1, 1.1),  # long before
    ],
)
def test_the_last_word_before_a_pause_ends_with_the_speech(end_s: float, expected: float):
    spans = [Span(8_000, 25_600), Span(48_000, 64_000)]
    words = [TimedWord("one", 1.0, end_s), TimedWord("two", 3.1, 3.5), TimedWord("three", 3.5, 3.9)]
    bounded = within_speech(words, spans)
    assert [word.end_s for word in bounded] == pytest.approx([expected, 3.5, 4.0])
    assert [word.text for word in bounded] == ["one", "two", "three"]


def test_words_after_all_speech_keep_their_times():
    words = [TimedWord("late", 5.0, 5.5)]
    assert within_speech(words, [Span(0, 16_000)]) == words
    assert within_speech([], [Span(0, 16_000)]) == []
