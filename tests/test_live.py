"""Live captions from Python, with the product's own small model."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import quest22
from quest22.errors import ClipError, UsageError
from quest22.options import LiveModelOptions, LiveOptions, Options, TranscribeOptions
from quest22.records import Samples
from quest22.runtime.turns import SpeechTimes
from quest22.settings.live import RECORDINGS_ONLY
from tests.support.recordings import NANO_IS_HERE, recordings

pytestmark = pytest.mark.skipif(not NANO_IS_HERE, reason="without the model nano")
SAMPLES = str(Path(quest22.__file__).parent / "demo" / "samples" / "*.parquet")
ENDS_S = 120.0
BLOCK = 1_600


@pytest.fixture(scope="module")
def whisper() -> Iterator[quest22.Transcriber]:
    with quest22.Transcriber("nano", batch_size=4) as transcriber:
        yield transcriber


@pytest.fixture(scope="module")
def talk() -> Samples:
    """Three phrases with pauses."""
    pause = np.zeros(16_000, np.float32)
    phrases = recordings("en", 3, longest_s=5.0)
    return np.concatenate([part for phrase in phrases for part in (phrase, pause)])


def feed_all(session: quest22.LiveSession, sound: Samples) -> None:
    for start in range(0, len(sound), BLOCK):
        session.feed(sound[start : start + BLOCK])
    session.end()


def joined(events: list[quest22.LiveEvent]) -> str:
    finals = (event.text.strip() for event in events if event.type == "final")
    return " ".join(text for text in finals if text)


def test_a_session_is_fed_and_iterated(whisper: quest22.Transcriber, talk: Samples) -> None:
    with whisper.live(language="en") as session:
        feeder = threading.Thread(target=feed_all, args=(session, talk))
        feeder.start()
        events = list(session)
        feeder.join(ENDS_S)
    assert joined(events)
    assert session.result().text == joined(events)
    assert all(event.language == "en" for event in events if event.text)
    for event in events:
        assert "".join(word.text for word in event.words).strip() == event.text.strip()
        assert event.audio_end_s <= len(talk) / 16_000 + 0.1


def test_in_asynchronous_code(whisper: quest22.Transcriber, talk: Samples) -> None:
    async def captions() -> list[quest22.LiveEvent]:
        async with whisper.live(language="en") as session:
            feeding = asyncio.create_task(asyncio.to_thread(feed_all, session, talk))
            events = [event async for event in session]
            await feeding
            return events

    assert joined(asyncio.run(captions()))


def test_a_model_for_one_session(talk: Samples) -> None:
    with quest22.live("nano", language="en", threads=1, step_s=1.0) as session:
        feed_all(session, talk)
    assert session.result().text
    whisper = session._owner
    assert whisper._closed  # type: ignore[attr-defined]


def test_files_beside_sessions_are_what_they_are_alone(
    whisper: quest22.Transcriber, talk: Samples
) -> None:
    files = recordings("en", 12, longest_s=8.0)
    alone = list(whisper.transcribe_many(files))
    with whisper.live(language="en") as first, whisper.live() as second:
        feeders = [
            threading.Thread(target=feed_all, args=(session, talk)) for session in (first, second)
        ]
        for feeder in feeders:
            feeder.start()
        beside = list(whisper.transcribe_many(files))
        for feeder in feeders:
            feeder.join(ENDS_S)
    assert beside == alone
    assert first.result().text


@pytest.mark.parametrize("options", [{}, {"word_timestamps": True}], ids=["texts", "words"])
def test_a_run_into_a_folder_gives_the_same_bytes_while_somebody_speaks(
    tmp_path: Path, options: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    with quest22.Transcriber("nano", compute_type="float32", timestamps=True, **options) as whisper:  # type: ignore[arg-type]
        for folder in ("alone", "beside"):
            whisper.stream_to(tmp_path / folder, "parquet", data_files=SAMPLES, take=8)
            monkeypatch.setattr(SpeechTimes, "windows_beside", lambda *_: 1)
    alone, beside = (next((tmp_path / each).glob("*.jsonl")) for each in ("alone", "beside"))
    assert alone.read_bytes() == beside.read_bytes()


def test_closing_the_model_ends_its_sessions() -> None:
    whisper = quest22.Transcriber("nano")
    session = whisper.live()
    session.feed(np.zeros(BLOCK, np.float32))
    whisper.close()
    assert list(session) == []
    with pytest.raises(ClipError, match="cancelled"):
        session.result(ENDS_S)
    with pytest.raises(UsageError, match="closed"):
        whisper.live()


def test_a_model_that_nobody_holds_leaves_no_thread_behind(talk: Samples) -> None:
    def caption() -> str:
        with quest22.Transcriber("nano").live(language="en") as session:
            feed_all(session, talk)
        return session.result().text

    before = engine_threads()
    assert caption()
    gc.collect()
    for thread in engine_threads() - before:
        thread.join(ENDS_S)
    assert engine_threads() <= before


def engine_threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name == "quest22-engine"}


def test_a_program_may_end_while_a_session_is_open(tmp_path: Path) -> None:
    script = tmp_path / "ends.py"
    script.write_text(ENDS_EARLY)
    for after_s in ("0.5", "0.8"):
        done = subprocess.run(
            [sys.executable, str(script), after_s],
            capture_output=True,
            text=True,
            timeout=ENDS_S,
            check=False,
        )
        assert (done.returncode, done.stderr) == (7, "")


ENDS_EARLY = """
import sys, threading, time, numpy as np, quest22
session = quest22.Transcriber("nano").live(language="en")
sound = np.random.default_rng(0).normal(0, 0.1, 160_000).astype(np.float32)

def feed():
    while session.feed(sound):
        session.flush()

threading.Thread(target=feed, daemon=True).start()
time.sleep(float(sys.argv[1]))
sys.exit(7)
"""


REFUSED = [
    pytest.param({"long_form": "sequential"}, "long_form is for recordings", id="long form"),
    pytest.param({"vad": "off"}, "vad is for .*: voice activity is always detected", id="vad"),
    pytest.param({"clip_timestamps": "0,5"}, "clip_timestamps is for recordings", id="spans"),
    pytest.param({"languag": "en"}, "unknown option 'languag': did you mean 'language'", id="typo"),
    pytest.param({"compute_type": "int8"}, "unknown option 'compute_type'", id="of the model"),
    pytest.param({"language": "xx"}, "xx", id="a language that is none"),
    pytest.param({"step_s": 0}, "step_s is 0", id="a value that cannot be"),
    pytest.param({"policy": "greedy"}, "policy is 'greedy': expected alignatt", id="policy"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_options_that_cannot_be_are_refused(
    whisper: quest22.Transcriber, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        whisper.live(**options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_the_function_refuses_options_of_recordings_before_it_loads_a_model() -> None:
    with pytest.raises(UsageError, match="word_timestamps is for recordings"):
        quest22.live("no-such-model", word_timestamps=True)  # type: ignore[call-arg]


def test_options_of_sessions_are_those_of_clips_but_for_recordings() -> None:
    known, live = set(TranscribeOptions.__annotations__), set(LiveOptions.__annotations__)
    assert set(RECORDINGS_ONLY) <= known
    assert known - live == set(RECORDINGS_ONLY)
    of_models = set(Options.__annotations__) - known
    assert set(LiveModelOptions.__annotations__) == live | of_models
