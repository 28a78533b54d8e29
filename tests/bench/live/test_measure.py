from pathlib import Path

import numpy as np
import pytest

from quest22.bench.live.measure import LiveBenchSettings, measure_live
from quest22.bench.live.reference import Sound
from quest22.bench.live.speech import synthesised
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
