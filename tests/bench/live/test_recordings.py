import json
from pathlib import Path

import pytest

from quest22.bench.live.offline import OfflineText, TimedWord
from quest22.bench.live.recordings import recorded, spoken_words, text_beside
from quest22.bench.live.reference import SpokenWord
from quest22.errors import UsageError

HEARD = OfflineText(
    "We heard the fans. Then nothing.",
    (
        TimedWord("We", 0.1, 0.3),
        TimedWord("heard", 0.3, 0.6),
        TimedWord("the", 0.6, 0.8),
        TimedWord("fans.", 0.8, 1.2),
        TimedWord("Then", 2.0, 2.3),
        TimedWord("nothing.", 2.3, 2.9),
    ),
    "en",
)


def test_without_a_text_the_models_own_words_are_what_was_said():
    words = spoken_words(HEARD, None)
    assert [word.text for word in words] == ["We", "heard", "the", "fans.", "Then", "nothing."]
    assert [word.end_s for word in words] == [0.3, 0.6, 0.8, 1.2, 2.3, 2.9]
    assert [word.utterance for word in words] == [0, 0, 0, 0, 1, 1]


def test_a_texts_words_have_the_times_of_those_heard_in_their_places():
    assert spoken_words(HEARD, "We really heard the fence, then nothing") == [
        SpokenWord("We", 0.3, 0),
        SpokenWord("really", None, 0),
        SpokenWord("heard", 0.6, 0),
        SpokenWord("the", 0.8, 0),
        SpokenWord("fence,", 1.2, 0),
        SpokenWord("then", 2.3, 1),
        SpokenWord("nothing", 2.9, 1),
    ]


def test_where_nothing_was_heard_no_times_are_known():
    words = spoken_words(OfflineText("", (), "en"), "Some words")
    assert [word.end_s for word in words] == [None, None]


def test_a_text_is_found_beside_the_recording(tmp_path: Path):
    (tmp_path / "a.txt").write_text("From a file.\n")
    rows = [{"file": "a.wav", "text": "not this"}, {"file": "b.wav", "text": "From a manifest."}]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    assert text_beside(tmp_path / "a.wav") == "From a file."
    assert text_beside(tmp_path / "b.wav") == "From a manifest."
    assert text_beside(tmp_path / "c.wav") is None


def test_what_is_no_recording_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match=r"missing\.wav is no file"):
        recorded([str(tmp_path / "missing.wav")], 10, {}, tmp_path)
    with pytest.raises(UsageError, match="no recordings in"):
        recorded([str(tmp_path)], 10, {}, tmp_path)
