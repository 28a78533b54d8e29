"""Words of whole recordings, from sound to transcript, beside openai/whisper's ``transcribe``."""

from __future__ import annotations

import pytest

from quest22.api import Transcriber
from quest22.checkpoint.load import load
from tests.support.openai_whisper import OpenaiWhisper
from tests.support.recordings import NANO_IS_HERE, recordings

FRAME_S = 0.02

pytestmark = [
    pytest.mark.slow,
    pytest.mark.reference,
    pytest.mark.skipif(not NANO_IS_HERE, reason="this checkout has no nano or no samples"),
]


@pytest.fixture(scope="module")
def reference() -> OpenaiWhisper:
    return OpenaiWhisper(load("nano").folder)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_words_of_the_sequential_long_form(language: str, reference: OpenaiWhisper) -> None:
    whisper = Transcriber(
        "nano",
        language=language,
        compute_type="float32",
        word_timestamps=True,
        long_form="sequential",
    )
    sounds = recordings(language, 7)
    count = 0
    for sound, found in zip(sounds, whisper.transcribe_many(sounds), strict=True):
        expected = reference.transcribe(sound, language=language, word_timestamps=True)
        told = [segment for segment in expected["segments"] if segment["text"]]
        for ours, theirs in zip(found.segments, told, strict=True):
            assert ours.words is not None
            assert [word.text for word in ours.words] == [word["word"] for word in theirs["words"]]
            times = [time_s for word in ours.words for time_s in (word.start_s, word.end_s)]
            expected_times = [word[at] for word in theirs["words"] for at in ("start", "end")]
            assert times == pytest.approx(expected_times, abs=FRAME_S + 1e-6)
            shares = [word.probability for word in ours.words]
            expected_shares = [word["probability"] for word in theirs["words"]]
            assert shares == pytest.approx(expected_shares, abs=1e-3)
            count += len(times) // 2
    assert count > 50
