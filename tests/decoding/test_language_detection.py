from __future__ import annotations

import numpy as np
import pytest

from quest22.decoding.language_detection import detect_language
from quest22.errors import UsageError
from quest22.records import DetectionOptions

LANGUAGES = {"en": 2, "ru": 4, "de": 5}
LOGITS = np.array([9, 9, 1, 9, 2, 1, 9], np.float32)
EVEN = DetectionOptions()

# what is asked for, language, probability
CASES = [
    (DetectionOptions(), "ru", np.e / (np.e + 2)),
    (DetectionOptions(("en", "ru")), "ru", np.e / (np.e + 1)),
    (DetectionOptions(("de", "en")), "de", 0.5),
    (DetectionOptions(("en",)), "en", 1.0),
    (DetectionOptions(threshold=0.9), "ru", np.e / (np.e + 2)),
    (DetectionOptions(threshold=0.9, fallback="de"), "de", 1 / (np.e + 2)),
    (DetectionOptions(threshold=0.5, fallback="de"), "ru", np.e / (np.e + 2)),
    (DetectionOptions(("en", "ru"), 0.9, "de"), "de", 0.0),
]


@pytest.mark.parametrize(("detection", "language", "probability"), CASES)
def test_the_likeliest_of_those_considered(
    detection: DetectionOptions, language: str, probability: float
) -> None:
    detected = detect_language(LOGITS, LANGUAGES, detection)
    assert detected.language == language
    assert detected.probability == pytest.approx(probability)
    assert sum(share for _, share in detected.top_languages) == pytest.approx(1)


def test_the_likeliest_come_first() -> None:
    assert [code for code, _ in detect_language(LOGITS, LANGUAGES, EVEN).top_languages] == [
        "ru",
        "en",
        "de",
    ]


def test_large_logits_do_not_overflow() -> None:
    logits = np.array([0, 0, 1000, 0, 1000, 0], np.float32)
    detected = detect_language(logits, LANGUAGES, EVEN)
    assert (detected.language, detected.probability) == ("en", pytest.approx(0.5))


@pytest.mark.parametrize("detection", [DetectionOptions(("xx",)), DetectionOptions(fallback="xx")])
def test_a_language_that_the_model_lacks_is_refused(detection: DetectionOptions) -> None:
    with pytest.raises(UsageError, match="does not know the language 'xx': expected some of en"):
        detect_language(LOGITS, LANGUAGES, detection)
