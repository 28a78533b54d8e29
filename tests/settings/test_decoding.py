from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.records import DetectionOptions, SearchOptions, SuppressionOptions
from quest22.settings import DecodingSettings

BAD = [
    ({"task": "summarise"}, "task is 'summarise': expected transcribe or translate"),
    ({"beam_size": 0}, "beam_size is 0: expected 1 or more"),
    ({"best_of": 0}, "best_of is 0: expected 1 or more"),
    ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size is -1: expected 0 or more"),
    ({"patience": 0.0}, "patience is 0.0: expected a number above 0"),
    ({"repetition_penalty": 0.0}, "repetition_penalty is 0.0: expected a number above 0"),
    ({"max_new_tokens": 0}, "max_new_tokens is 0: expected 1 or more"),
    ({"length_penalty": 2.0}, "length_penalty is 2.0: expected a number from 0 to 1"),
    ({"temperature": (0.0, 1.5)}, "temperature is 1.5: expected a number from 0 to 1"),
    ({"temperature": ()}, "one or more increasing values"),
    ({"temperature": (0.4, 0.2)}, "one or more increasing values"),
    ({"language_threshold": 50.0}, "a number from 0 to 1"),
    ({"audio_context": 0.0}, "audio_context is 0: expected auto, full or seconds up to 30"),
    ({"audio_context": 31.0}, "audio_context is 31: expected auto, full or seconds up to 30"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        DecodingSettings(**values)


def test_options_go_to_the_part_of_the_decoder_that_they_are_for():
    decoding = DecodingSettings(
        languages=("en", "ru"),
        language_threshold=0.5,
        fallback_language="en",
        suppress_tokens=(11,),
        suppress_blank=False,
        suppress_numerals=True,
        max_initial_timestamp=2.0,
        beam_size=5,
        patience=2.0,
        best_of=3,
        length_penalty=0.6,
        repetition_penalty=1.1,
        no_repeat_ngram_size=3,
        sampling_seed=7,
    )
    assert decoding.detection() == DetectionOptions(("en", "ru"), 0.5, "en")
    assert decoding.search() == SearchOptions(5, 2.0, 3, 0.6, 1.1, 3, (7,))
    assert decoding.suppression() == SuppressionOptions((11,), False, True, 2.0)
