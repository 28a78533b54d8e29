from pathlib import Path

import numpy as np
import pytest

from quest22.bench.live import measure, sessions
from quest22.bench.live.measure import (
    LiveBenchSettings,
    LiveMeasurement,
    bytes_a_session,
    measure_live,
)
from quest22.bench.live.reference import Sound, SpokenWord
from quest22.bench.live.score import Score
from quest22.bench.live.speech import synthesised
from quest22.bench.live.summary import LiveSummary
from quest22.errors import UsageError
from tests.bench.live.test_live_process import ECHO

SILENCE = Sound("silence", np.zeros(8000, np.float32), (), "")


def test_words_where_nobody_speaks_are_counted(tmp_path: Path):
    bench = LiveBenchSettings(tmp_path, "left right", programs=(ECHO, ECHO), sessions=(1, 2))
    measured = list(measure_live(bench, [SILENCE]))
    assert [each.sessions for each in measured] == [1, 1, 2, 2]
    for each in measured:
        assert each.summary is not None
        assert each.summary.insertions == 5 * each.sessions
        assert (each.program, each.about, each.failure) == ("echo", "echo of left right", None)
        assert each.peak_bytes >= each.idle_bytes
        assert not each.keeps_up  # nobody speaks, so no word was committed in time


def test_as_many_sessions_are_tried_as_keep_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sessions, "MOST", 2)
    monkeypatch.setattr(measure, "STAGGER_S", 0.05)
    words = tuple(SpokenWord(text, end_s, 0) for text, end_s in (("left", 0.1), ("right", 0.2)))
    sound = Sound("test", np.zeros(3200, np.float32), words, "exact")
    told: list[str] = []
    bench = LiveBenchSettings(tmp_path, "left right", sessions=None, log=told.append)
    tried = measure._search(bench, ECHO, sound, None)
    assert [each.sessions for each in tried] == [1, 2]
    assert all(each.keeps_up for each in tried)
    assert told[-1] == "echo: keeps up with 2 sessions"


def test_memory_is_compared_with_that_of_fewest_sessions():
    def a_playing(count: int, peak_bytes: int, program: str = "quest22") -> LiveMeasurement:
        nothing = LiveSummary.of(Score())
        return LiveMeasurement(
            program, "", "speech", "", count, 1.0, nothing, peak_bytes=peak_bytes
        )

    one, four, other = a_playing(1, 100), a_playing(4, 160), a_playing(4, 999, "other")
    assert bytes_a_session(four, [one, four, other]) == 20
    assert bytes_a_session(one, [one, four, other]) is None
    assert bytes_a_session(other, [one, four, other]) is None
    assert bytes_a_session(a_playing(4, 90), [one]) == 0


def test_a_program_that_fails_leaves_the_others(tmp_path: Path):
    bench = LiveBenchSettings(tmp_path, "broken", programs=(ECHO,))
    (measured,) = measure_live(bench, [SILENCE])
    assert measured.summary is None
    assert "this program is broken" in str(measured.failure)


@pytest.mark.slow
def test_nano_is_measured_from_the_python_api(tmp_path: Path):
    try:
        sound = synthesised(6, ["flite:slt"])
    except UsageError as error:
        pytest.skip(str(error))
    told: list[str] = []
    bench = LiveBenchSettings(tmp_path, "nano", log=told.append)
    (measured,) = measure_live(bench, [sound])
    assert measured.summary is not None
    assert measured.summary.utterances == sound.words[-1].utterance + 1
    assert measured.summary.taken_back == 0
    assert measured.unended == 0
    assert measured.offline is not None
    assert measured.offline.error_rate is not None
    assert [line.split(",")[0] for line in told] == [
        "quest22: transcribes speech offline",
        "quest22: plays speech",
    ]
