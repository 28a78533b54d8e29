from __future__ import annotations

import pytest

from quest22.longform.clip_language import MOST_WINDOWS, ClipLanguage
from quest22.records import DetectionOptions
from tests.support.fake_whisper import make_hypothesis


@pytest.mark.parametrize(
    ("windows", "language"),
    [
        ([], None),
        ([("ru", 0.9), ("en", 1.0)], "ru"),
        ([("nn", 0.4), ("ru", 0.5), ("en", 1.0)], "ru"),
        ([(None, 0.0), (None, 0.0), ("ru", 0.9)], "ru"),
        ([("nn", 0.4)] * (MOST_WINDOWS - 1), None),
        ([("nn", 0.3), ("ru", 0.4), *[("en", 0.3)] * (MOST_WINDOWS - 2)], "ru"),
        ([(None, 0.0)] * 99, None),
    ],
)
def test_the_first_window_that_is_sure_settles_it(
    windows: list[tuple[str | None, float]], language: str | None
) -> None:
    clip = ClipLanguage(DetectionOptions())
    for code, sure in windows:
        clip.add(make_hypothesis(1, language=code, sure=sure))
    assert (clip.settled and clip.settled.language) == language


def test_a_language_to_fall_back_on_is_sure_enough() -> None:
    clip = ClipLanguage(DetectionOptions(threshold=0.6, fallback="de"))
    clip.add(make_hypothesis(1, language="de", sure=0.1))
    assert clip.settled is not None
