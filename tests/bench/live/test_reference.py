import numpy as np

from quest22.bench.live.reference import Sound, SpokenWord, joined, times_of

SOUND = Sound(
    "test",
    np.arange(6 * 16_000, dtype=np.float32) / 100_000,
    (
        SpokenWord("one", 0.5, 0),
        SpokenWord("two", None, 0),
        SpokenWord("three", 1.0, 0),
        SpokenWord("four", 2.5, 1),
        SpokenWord("five", 5.0, 2),
    ),
    "exact",
)


def test_joined_sounds_keep_their_words_in_place():
    both = joined("both", [SOUND, SOUND])
    assert both.duration_s == 12
    assert [word.end_s for word in both.words[5:]] == [6.5, None, 7.0, 8.5, 11.0]
    assert [word.utterance for word in both.words] == [0, 0, 0, 1, 2, 3, 3, 3, 4, 5]


def test_a_sound_is_repeated_as_often_as_it_fits():
    assert SOUND.repeated(20).duration_s == 18
    assert SOUND.repeated(2) is SOUND


def test_a_rotated_sound_begins_in_a_pause():
    turned = SOUND.rotated(0.4)
    assert [word.text for word in turned.words] == ["four", "five", "one", "two", "three"]
    assert turned.duration_s == 6
    assert np.array_equal(turned.samples[: 47 * 1600], SOUND.samples[13 * 1600 :])
    np.testing.assert_allclose([word.end_s or 0 for word in turned.words[:3]], [1.2, 3.7, 5.2])
    assert len({word.utterance for word in turned.words}) == 3
    assert SOUND.rotated(0.0) is SOUND


def test_a_word_without_an_end_is_placed_after_the_one_before_it():
    assert times_of(SOUND.words) == [0.5, 0.5, 1.0, 2.5, 5.0]
